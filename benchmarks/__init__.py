"""Measurements of speed, always as a ratio against what one would otherwise have."""
