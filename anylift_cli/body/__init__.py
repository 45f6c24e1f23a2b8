"""The body: skeleton, keypoint maps, SMPL-format model, pose prior."""
