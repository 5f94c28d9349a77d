"""The oncall: takes what Alertmanager sends, tells one person after the other until somebody has it, and notices when the watch itself falls silent."""
