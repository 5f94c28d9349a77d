"""The built-in identity provider and the access data, built like a service.

Not here: anything of the proxy.
"""
