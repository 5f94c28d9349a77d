"""The microservice chassis: what every service needs. No business word belongs here."""
