"""The stories: `refresh`, and the ways to start it."""
