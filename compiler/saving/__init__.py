"""Saving: a compiled function as a file, and back."""
