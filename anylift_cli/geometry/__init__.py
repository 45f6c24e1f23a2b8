"""Pure functions on rotations, cameras and point sets."""
