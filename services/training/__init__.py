"""Training: the person, the stays, and vocational training with its attendance.

Not here: certificates, whose issuing belongs to certification.
"""
