"""From kernel source to machine code at an address, in memory and on disk."""
