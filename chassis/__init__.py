"""The microservice chassis: what every service needs. Not here: words of a business area."""
