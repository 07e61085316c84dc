"""The package signals."""
