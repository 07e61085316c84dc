"""The package visitors."""
