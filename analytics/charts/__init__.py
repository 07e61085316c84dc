"""The package charts."""
