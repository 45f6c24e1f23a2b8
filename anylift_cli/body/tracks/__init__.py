"""People as other tools' results have them, as SMPL parameters: one module per tool, in the world and in the camera."""
