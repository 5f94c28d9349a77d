"""Applications for a certificate, from the completed course to the recommendation.

Not here: the decision of the panel (panels).
"""
