"""Inference: pictures of any size through one generator, as tensors and arrays."""
