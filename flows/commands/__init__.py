"""What each command of `prefect-synth` does."""
