"""Stand-ins for a model: a scripted one, and an endpoint with faults to order."""
