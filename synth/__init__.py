"""The mathematics: usable in a notebook with nothing else of this package."""
