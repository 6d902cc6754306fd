"""Sparse derivatives: their structure, groups of columns, and as many products."""
