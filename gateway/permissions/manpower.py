"""What each role may ask of manpower."""

PERMISSIONS: dict[str, frozenset[str]] = {}
