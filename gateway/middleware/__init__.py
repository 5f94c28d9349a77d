"""The middlewares, one concern each, in the order of app.py. Not here: business rules."""
