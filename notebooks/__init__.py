"""Notebooks to begin with, and what runs them again."""
