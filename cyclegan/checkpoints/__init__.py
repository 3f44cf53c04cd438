"""What a run leaves on disk: folder, states, model files, metrics."""
