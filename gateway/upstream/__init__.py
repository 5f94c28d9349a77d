"""The client of the services, request cancellation, headers.

Not here: which service answers.
"""
