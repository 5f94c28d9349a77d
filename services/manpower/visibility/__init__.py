"""Which row about a person an outside reader sees, and which columns. Not here: consents."""
