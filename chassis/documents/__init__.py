"""Papers and sheets: PDF, XLSX and CSV from data.

Not here: what they say. Templates and texts lie with the services.
"""
