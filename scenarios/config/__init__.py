"""The package config."""
