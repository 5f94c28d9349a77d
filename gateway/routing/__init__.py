"""Routes as data: the table, its file and its reloader. Not here: what a route may be called by."""
