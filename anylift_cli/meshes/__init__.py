"""Meshes of objects: reading, sizing, their surface and their symmetries."""
