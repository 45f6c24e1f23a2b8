"""Readers of motion files, our own and other tools', all into one convention: `MotionRecord`."""
