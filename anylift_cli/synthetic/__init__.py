"""Scenes with exact ground truth: authored motion, cameras, pixels."""
