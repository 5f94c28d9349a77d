"""The signed document: how it is built, read, secured and checked. Pure; nothing here knows a database or a host."""
