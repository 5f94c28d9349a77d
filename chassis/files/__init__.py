"""The sandbox that parses uploaded files. Not here: any parser, and what a file means."""
