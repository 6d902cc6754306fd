"""The compiler: tracing, gradients, passes. Importing it registers the lowerings."""

from . import functions, lower

__all__ = ["functions", "lower"]
