"""Passes: graph in, graph out."""
