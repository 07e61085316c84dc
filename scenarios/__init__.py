"""Scenario files, what runs them, and the command line."""
