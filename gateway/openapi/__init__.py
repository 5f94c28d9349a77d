"""One OpenAPI document and page for each host group. Not here: the services' own documents."""
