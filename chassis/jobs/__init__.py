"""Work that runs on a schedule under a lease. Not here: the work of a service."""
