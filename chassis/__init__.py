"""The microservice chassis: what every service needs. README.md lists the packages.

Not here: anything that belongs to one business area.
"""
