"""Arrays whose sizes are known only when running: see `Ragged`."""
