"""Routes for operators and auditors that each service mounts, and audit exports.

Not here: code that other packages of the chassis need; nothing below imports admin.
"""
