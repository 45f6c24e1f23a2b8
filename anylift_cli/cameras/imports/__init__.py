"""Readers of camera paths that other tools have solved: one module per format."""
