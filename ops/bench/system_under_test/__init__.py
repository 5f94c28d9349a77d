"""What the benches measure: a service on the real chassis without business rules, and manpower.

Not here: the benches.
"""
