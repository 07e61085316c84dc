"""The package sales."""
