"""What routes are given, and calls between services. Not here: any route."""
