"""Preference data of other schemas -> preference pairs."""
