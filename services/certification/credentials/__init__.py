"""The signed document: how it is built, parsed, signed, verified and published.

Publishing means the texts and the headers under which documents are served.
Not here: anything that needs a database or a network.
"""
