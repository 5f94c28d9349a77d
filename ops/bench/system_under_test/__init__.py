"""The service that the benches measure: real chassis, real durable work, no business. Not here: what is measured and how it is told (the modules above)."""
