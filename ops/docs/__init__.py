"""What `./bina docs` writes from the code. Not here: documents written by hand."""
