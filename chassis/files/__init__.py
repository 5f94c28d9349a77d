"""Files of people: sandbox, encrypted store, resumable uploads, virus scanner.

Not here: any parser, and what a file means.
"""
