"""Certificates: reserved, signed, issued; suspended, reinstated, revoked; printed."""
