"""Data: folders of pictures, their cache, their augmentation, and domains drawn by code."""
