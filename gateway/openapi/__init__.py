"""One OpenAPI document for each host group, and its page. Not here: the services' documents."""
