"""The way to a service: client, cancellation, headers. Not here: which service a path belongs to."""
