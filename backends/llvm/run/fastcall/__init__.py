"""The fast path: a call from Python to the kernels in one compiled function."""
