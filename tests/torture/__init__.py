"""What is broken on purpose: `make torture`."""
