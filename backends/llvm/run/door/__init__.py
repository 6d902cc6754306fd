"""The door into a prepared graph for native code: C by address, Numba by type."""
