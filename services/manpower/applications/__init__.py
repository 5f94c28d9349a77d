"""Job applications: a candidate's way to one vacancy."""
