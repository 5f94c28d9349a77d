"""What adapts Motor and PyMongo: codec, errors, collections, pool.

Not here: the operations (persistence.mongo).
"""
