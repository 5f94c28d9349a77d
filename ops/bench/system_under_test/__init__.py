"""The service that the benches measure: a real chassis, without business. Not here: benches."""
