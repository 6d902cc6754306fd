"""The kernel language, a little Python, and its compiler."""
