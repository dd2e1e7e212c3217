"""Image files and tensors."""
