"""Training: people in custody, their stays, and vocational training with its attendance.

Not here: certificates (certification).
"""
