"""The package study_report."""
