"""Readers of annotated image collections."""
