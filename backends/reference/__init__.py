"""The reference backend: a graph run by NumPy, node by node."""
