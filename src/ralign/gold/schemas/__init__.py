"""The schemas of other people's preference data: one module each, whose docstring says where it was read from."""
