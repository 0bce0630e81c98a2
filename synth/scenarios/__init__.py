"""Scenarios: how many rows of a kind a snapshot must have, and how that is said."""
