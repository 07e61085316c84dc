"""The package events."""
