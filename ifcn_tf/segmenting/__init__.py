"""From photographs to the class of each pixel."""
