"""The commands `events`: follow, inspect, retry, replay. Not here: how events travel."""
