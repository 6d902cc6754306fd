"""A plan made callable, its threads, and the fast path of a call."""
