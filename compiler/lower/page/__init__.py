"""The page of the docs that lists all functions."""
