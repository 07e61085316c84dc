"""The package output_analysis."""
