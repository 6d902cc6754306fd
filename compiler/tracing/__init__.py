"""Tracing: a run of the function of the user, written down as a graph."""
