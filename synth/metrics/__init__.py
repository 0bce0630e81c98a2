"""Pure functions from real and synthetic tables to scores."""
