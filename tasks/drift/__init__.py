"""What moved in the warehouse since somebody last accepted it, and what becomes of it."""
