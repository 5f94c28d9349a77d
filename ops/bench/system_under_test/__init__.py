"""What the benches measure: a service without business rules, and manpower.

Not here: the benches.
"""
