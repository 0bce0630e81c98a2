"""The edges: each step of a refresh as one thin Prefect task, and what it touches."""
