"""Settings as frozen dataclasses."""
