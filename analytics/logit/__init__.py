"""The package logit."""
