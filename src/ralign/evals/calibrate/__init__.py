"""Measuring a meta-judge: people's labels x decisions -> how far it can be trusted."""
