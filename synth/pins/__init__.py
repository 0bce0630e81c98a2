"""Pinned rows: read from a file, checked, completed, and in every snapshot with their keys."""
