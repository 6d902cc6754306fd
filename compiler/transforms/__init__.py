"""Transforms: a function or its graph into another, for gradients and mapping."""
