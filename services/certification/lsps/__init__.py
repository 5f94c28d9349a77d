"""LSPs: certification bodies as issuers, with their licences and keys.

Not here: what an LSP certifies (schemes) and whom (applications, certificates).
"""
