"""Work that employers offer, and its slots. Not here: who applies for it (applications)."""
