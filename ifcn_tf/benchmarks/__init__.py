"""What the project's speed is measured with; each module yields rows of JSON types."""
