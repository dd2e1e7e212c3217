"""Forms in which proposals are written: one function a format, all listed in `registry.py`."""
