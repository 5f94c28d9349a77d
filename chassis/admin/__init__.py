"""The API of operators and auditors, mounted by each service. Nothing else in the chassis imports it."""
