"""Certification: who may certify whom in what, the certificate, and whether it still holds."""
