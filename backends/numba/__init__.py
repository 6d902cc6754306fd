"""The numba backend: a graph as one readable function, compiled by Numba."""
