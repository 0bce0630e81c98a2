"""Conditional distributions p(row | context) over encoded columns."""
