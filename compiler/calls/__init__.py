"""Calls: an entry for each signature, and when it is traced again."""
