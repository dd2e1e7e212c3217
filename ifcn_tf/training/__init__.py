"""The trainer: the one place where data, model and losses meet."""
