"""The package replication."""
