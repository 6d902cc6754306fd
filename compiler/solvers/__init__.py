"""Solvers whose derivatives are those of what they solve, however they found it."""
