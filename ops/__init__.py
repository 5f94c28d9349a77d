"""How the system is started, operated and measured; no business rule and no product code belongs here."""
