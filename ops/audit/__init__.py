"""The commands `audit`: verify, search, export. Not here: how rows are written and sealed."""
