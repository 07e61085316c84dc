"""The package tracking."""
