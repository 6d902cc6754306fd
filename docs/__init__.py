"""The pages of the documentation, which `anabranch docs` prints."""
