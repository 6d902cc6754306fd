"""The text of kernels: loop nests in the kernel form, and some written by hand."""
