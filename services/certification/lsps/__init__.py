"""LSPs: certification bodies as issuers, their licences and keys."""
