"""The services of Bina, one package each. Not here: what all of them need (chassis)."""
