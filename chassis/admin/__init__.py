"""API of operators and auditors, mounted by each service. Not here: what other rooms import."""
