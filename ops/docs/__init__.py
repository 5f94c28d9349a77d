"""Generators of the files that `./bina docs` writes. Not here: documents written by hand."""
