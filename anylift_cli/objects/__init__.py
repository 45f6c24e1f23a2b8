"""Objects that people handle: where they are in each frame."""
