"""Kernel source by Numba: the second opinion on what the engine compiles."""
