"""Video files and animations: decoding, encoding, smoothing over time. Knows nothing of translation."""
