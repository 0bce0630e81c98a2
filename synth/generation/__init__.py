"""Values that are made up: keys, personal data, free text."""
