"""The package engine."""
