"""anylift: ordinary video to metric, gravity-aligned 3D human motion."""

__version__ = "0.1.0"
