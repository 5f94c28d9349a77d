"""The only entry for requests from outside. Not here: rules of a service, filtering of rows."""
