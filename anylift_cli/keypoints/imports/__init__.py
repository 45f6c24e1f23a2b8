"""Readers of keypoints that other tools have found: one module per format."""
