"""What each role may ask of certification."""

PERMISSIONS: dict[str, frozenset[str]] = {}
