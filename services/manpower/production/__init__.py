"""Production: what each workshop sold in a month."""
