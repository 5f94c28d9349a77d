"""Visibility: who outside may see a row about a person, and which columns."""
