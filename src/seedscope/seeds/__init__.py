"""Replicas against each other: what survives a change of seed."""
