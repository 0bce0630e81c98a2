"""What a project asks of Prefect's server, and how the server is brought to it."""
