"""How the system is started, operated and measured. Not here: rules and routes."""
