"""Routes as data: the table, its file and its reloader. Not here: who may use a route."""
