"""Readers and writers of annotated photographs."""
