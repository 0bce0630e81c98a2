"""Differential privacy: mechanisms, accounting, the ledger, and how tables are learned under it."""
