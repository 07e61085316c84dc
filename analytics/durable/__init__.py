"""The package durable."""
