"""Proposals as files."""
