"""The gateway's own pages, at `/` and `/docs`. Not here: pages of services, OpenAPI."""
