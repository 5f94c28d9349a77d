"""Jobs that run on a schedule under a lease. Not here: the jobs of a single service."""
