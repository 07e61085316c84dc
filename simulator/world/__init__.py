"""The package world."""
