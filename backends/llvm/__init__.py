"""The llvm backend: plans, and kernels by our own code generation through llvmlite."""
