"""Texts that may appear on public documents: names of people, and neutral words.

Not here: where those texts are stored.
"""
