"""prefect-synth: nightly synthetic copies of production tables."""

__version__ = "0.1.0"
