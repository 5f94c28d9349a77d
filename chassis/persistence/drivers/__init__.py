"""What adapts Motor and PyMongo: codec, errors, collections, pool. Not here: operations (mongo)."""
