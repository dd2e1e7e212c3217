"""What networks are built of: layers, their arithmetic, and their weights as constants."""
