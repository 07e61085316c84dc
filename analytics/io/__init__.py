"""The package io."""
