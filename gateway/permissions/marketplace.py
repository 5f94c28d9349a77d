"""What each role may ask of marketplace."""

PERMISSIONS: dict[str, frozenset[str]] = {}
