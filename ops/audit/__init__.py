"""The audit from outside: verified, searched, exported, and rows for what is done past every service."""
