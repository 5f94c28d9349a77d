"""Vacancies: the work that employers offer, and its slots."""
