"""Columns as positions in [0, 1], and back, exactly."""
