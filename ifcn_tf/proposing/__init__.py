"""From an image to proposals."""
