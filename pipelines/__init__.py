"""Command line scripts."""
