"""The frame: what parents know of their children, and sampling from the top down."""
