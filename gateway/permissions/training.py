"""What each role may ask of training."""

PERMISSIONS: dict[str, frozenset[str]] = {}
