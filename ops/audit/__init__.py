"""The commands `audit`: search, export, verify. Not here: how rows are written and sealed."""
