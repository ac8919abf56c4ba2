"""The GenRM: thin adapters to the engines around `ralign.rewards`, and what a run of them costs."""
