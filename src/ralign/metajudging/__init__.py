"""metajudging."""
