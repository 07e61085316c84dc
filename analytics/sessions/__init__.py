"""The package sessions."""
