"""The package intent."""
