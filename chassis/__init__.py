"""The microservice chassis: what every service needs and no service is about. No business word belongs here."""
