"""What `./bina docs` writes from code and data. Not here: documents written by hand."""
