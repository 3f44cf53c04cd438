"""Workflows: what needs training, translation and reports together."""
