"""What an operator edits: prefect.yaml and its neighbours."""
