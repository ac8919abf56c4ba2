"""Judgment -> does its verdict hang on its rationale? Interventions, readings, figures, a run directory."""
