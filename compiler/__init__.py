"""The compiler: tracing, gradients, passes."""
