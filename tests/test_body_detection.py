"""MediaPipe sees a person in plain renders of the open body."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import J, K
from anylift_cli.geometry.cameras import intrinsics_matrix, look_at, project
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.rendering.mesh import draw_mesh

WIDTH, HEIGHT = 480, 640
MEDIAPIPE_JOINTS = {
    "nose": 0, "left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13, "right_elbow": 14, "left_wrist": 15,
    "right_wrist": 16, "left_hip": 23, "right_hip": 24, "left_knee": 25, "right_knee": 26, "left_ankle": 27,
    "right_ankle": 28,
}  # fmt: skip


@pytest.mark.parametrize("azimuth", [0, 40, -140])
def test_mediapipe_finds_the_standing_body(azimuth):
    mediapipe = pytest.importorskip("mediapipe")
    body = BodyModel.load()
    axis_angle = torch.zeros(1, 24, 3)
    axis_angle[0, J["left_shoulder"], 2], axis_angle[0, J["right_shoulder"], 2] = -0.8, 0.8
    pose, betas, transl = matrix_from_axis_angle(axis_angle), torch.zeros(1, 10), torch.zeros(1, 3)
    vertices = body.vertices(pose, betas, transl)[0].numpy()
    keypoints = body.joints(pose, betas, transl).keypoints[0].numpy()

    angle = np.deg2rad(azimuth)
    target = np.array([0, 0.88, 0])
    camera = look_at(target + 4 * np.array([np.sin(angle), 0.1, np.cos(angle)]), target, (0, 1, 0))
    K_matrix = intrinsics_matrix(1000, WIDTH, HEIGHT)
    image = draw_mesh(
        np.full((HEIGHT, WIDTH, 3), 215, np.uint8), vertices, body.faces, camera, K_matrix,
        vertex_colors=body.vertex_colors,
    )  # fmt: skip
    with mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1) as detector:
        found = detector.process(image).pose_landmarks
    assert found is not None
    truth = project(keypoints, camera, K_matrix)
    box_height = np.ptp(truth[:, 1])
    errors = []
    for name, index in MEDIAPIPE_JOINTS.items():
        landmark = found.landmark[index]
        assert landmark.visibility > 0.7 or (azimuth != 0 and name != "nose"), (name, landmark.visibility)
        errors.append(np.hypot(*(truth[K[name]] - [landmark.x * WIDTH, landmark.y * HEIGHT])) / box_height)
    assert np.mean(errors) < 0.03
