"""The only door: who comes in, what they may ask for, how much of it, and which service answers."""
