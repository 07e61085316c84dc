"""The package statistics."""
