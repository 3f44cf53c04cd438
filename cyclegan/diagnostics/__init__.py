"""Diagnostics of a training: measures of images and scores, and rules that turn metrics into findings."""
