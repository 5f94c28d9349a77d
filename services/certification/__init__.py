"""Certification: LSPs, schemes, assessments, certificates, and the check of a certificate.

Not here: the person, whose identity belongs to training.
"""
