"""Files that people send. Not here: what a file means."""
