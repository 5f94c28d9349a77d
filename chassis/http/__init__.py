"""Route dependencies, idempotency keys, problems, internal tokens. Not here: any route."""
