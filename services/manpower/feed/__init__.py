"""The feed: all changes for each reader, complete and in order. Not here: their content."""
