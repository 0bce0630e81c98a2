"""Personal data: which columns hold it, and how that is known."""
