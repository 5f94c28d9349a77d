"""Feed: all changes for each reader, complete and in order."""
