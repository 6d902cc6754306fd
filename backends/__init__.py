"""Backends: how an optimised graph is run."""
