"""The Numba backend: plans, generated kernels, one native call."""
