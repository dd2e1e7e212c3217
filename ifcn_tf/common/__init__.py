"""What every room may use: files, image ids, a bounded pool, a progress bar."""
