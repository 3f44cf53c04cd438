"""The weights of the authors' PyTorch code (`.pth`), in and out."""
