"""From source files to training batches."""
