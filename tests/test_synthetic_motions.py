"""Authored motions: planted feet, no floor penetration, no jumps, for any body."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import J, K
from anylift_cli.synthetic.motions import MOTIONS
from anylift_cli.synthetic.rig import SIDES, Rig, heading, solve

FPS = 30
BODY = BodyModel.load("open")
PLANTED = {0: "heel", 1: "big_toe"}


def betas(seed: int | None) -> torch.Tensor:
    if seed is None:
        return torch.zeros(1, BODY.num_betas)
    return torch.as_tensor(np.random.default_rng(seed).normal(0, 0.7, (1, BODY.num_betas)), dtype=torch.float32)


def perform(name: str, shape: torch.Tensor):
    """Choreography, pose, and posed joints, body24 points and vertices of the whole motion."""
    rig = Rig.of(BODY, shape)
    time = np.arange(round(MOTIONS[name].seconds * FPS)) / FPS
    choreography = MOTIONS[name].author(time, rig)
    pose, transl = solve(choreography, rig)
    parameters = (torch.as_tensor(pose, dtype=torch.float32), shape, torch.as_tensor(transl, dtype=torch.float32))
    with torch.no_grad():
        points, vertices = BODY.joints(*parameters), BODY.vertices(*parameters)
    return choreography, pose, points.joints.numpy(), points.keypoints.numpy(), vertices.numpy()


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("name", MOTIONS)
def test_feet_stand_still_on_the_floor_and_nothing_sinks_into_it(name: str, seed: int | None):
    choreography, pose, joints, keypoints, vertices = perform(name, betas(seed))
    assert vertices[..., 2].min() > -0.005
    planted = np.zeros(len(pose), bool)
    for side in SIDES:
        contact = choreography.feet[side].contact > 0.5
        planted |= contact.any(1)
        for column, part in PLANTED.items():
            point = keypoints[:, K[f"{side}_{part}"]]
            both = contact[1:, column] & contact[:-1, column]
            assert both.any()
            slide = np.linalg.norm(np.diff(point, axis=0), axis=-1)[both]
            assert slide.max() < 0.001
            assert np.ptp(point[contact[:, column], 2]) < 0.005
    assert np.abs(vertices[planted][..., 2].min(1)).max() < 0.005

    assert np.allclose(pose @ pose.swapaxes(-1, -2), np.eye(3), atol=1e-6)
    assert (np.linalg.norm(np.diff(joints, axis=0), axis=-1) * FPS).max() < 14
    assert (np.linalg.norm(np.diff(joints[:, 0], 2, axis=0), axis=-1) * FPS**2).max() < 30


def test_held_box_stays_between_the_hands():
    choreography, _, joints, _, _ = perform("carry", betas(None))
    (box,) = choreography.boxes
    held = choreography.arms["left"].hold > 0.999
    hands = joints[:, [J["left_wrist"], J["right_wrist"]]]
    in_box = np.einsum("tji,tpj->tpi", box.world_from_box[:, :3, :3], hands - box.world_from_box[:, None, :3, 3])
    assert held.sum() > 60
    assert np.ptp(in_box[held], axis=0).max() < 0.002
    assert box.world_from_box[-1, 2, 3] > 0.7


def test_a_seated_person_is_on_the_seat():
    choreography, _, joints, _, vertices = perform("sit", betas(None))
    (seat,) = choreography.boxes
    lowest = joints[:, 0, 2].argmin()
    bottom = vertices[lowest][np.linalg.norm(vertices[lowest, :, :2] - joints[lowest, 0, :2], axis=-1) < 0.12, 2].min()
    assert bottom == pytest.approx(seat.size[2], abs=0.04)


def test_cartwheel_turns_once_upside_down():
    _, _, joints, _, _ = perform("cartwheel", betas(None))
    upright = joints[:, J["head"], 2] - joints[:, 0, 2]
    assert upright[0] > 0.4 and upright[-1] > 0.4 and upright.min() < -0.4


def test_walk_covers_ground_at_a_walking_pace():
    _, _, joints, _, _ = perform("walk", betas(None))
    speed = np.linalg.norm(np.diff(joints[:, 0, :2], axis=0), axis=-1) * FPS
    assert 0.8 < speed.mean() < 1.5


def test_heading_maps_rest_axes_to_the_world():
    turn = heading(np.array(np.pi / 2))
    assert turn @ [0, 0, 1] == pytest.approx([0, 1, 0])
    assert turn @ [0, 1, 0] == pytest.approx([0, 0, 1])
    assert turn @ [1, 0, 0] == pytest.approx([-1, 0, 0])
