"""What each workshop sold in a month (report R6). Not here: any person, any single order."""
