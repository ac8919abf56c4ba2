"""Other preference data -> preference pairs, one module a schema."""
