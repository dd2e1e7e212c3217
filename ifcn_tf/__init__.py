"""Class-agnostic instance masks with instance-sensitive fully convolutional networks."""
