"""What proves the audit to somebody who does not trust us: findings, and exports that are checked without Bina. Not here: rows and seals (chassis), commands (ops)."""
