"""What tests get of a snapshot: tables, databases of their own, and a way to undo what they do."""
