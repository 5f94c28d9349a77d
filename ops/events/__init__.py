"""The commands `events`: follow, inspect, retry, replay. Not here: the event pipeline."""
