"""BVH files hold the motion, as readers that are not ours see it."""

from __future__ import annotations

import numpy as np
import pytest
from importers.assimp import read_with_assimp
from importers.blender import read_with_blender
from motions import walking

from anylift_cli.export.bvh import BvhExporter
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.scene import Y_UP_FROM_Z_UP
from anylift_cli.export.take import ExportOptions, Take

FRAMES = 9
MILLIMETRE = 1e-3
CHOICES = [
    ExportOptions(),
    ExportOptions(root="ground", rest="a-pose", names="mixamo", metres_per_unit=1.0),
]


@pytest.mark.parametrize("options", CHOICES, ids=("plain", "ground-a-pose-mixamo-m"))
def test_assimp_sees_the_joints(body, tmp_path, options):
    motion = walking(body, FRAMES, fps=25)
    path = BvhExporter().write(Take((motion,), ("walk",), options), tmp_path / "walk.bvh")
    seen = read_with_assimp(path, FRAMES)
    joints = seen.joints(JOINT_NAMES[options.names]) @ Y_UP_FROM_Z_UP * options.metres_per_unit
    assert np.linalg.norm(joints - motion.joints, axis=-1).max() < MILLIMETRE
    assert seen.rate == pytest.approx(25)


@pytest.mark.parametrize("options", CHOICES, ids=("plain", "ground-a-pose-mixamo-m"))
def test_blender_sees_the_joints(body, tmp_path, options):
    """With the importer's own axes; at a broken rate, which the importer takes from the file."""
    motion = walking(body, FRAMES, fps=29.97)
    path = BvhExporter().write(Take((motion,), ("walk",), options), tmp_path / "walk.bvh")
    seen = read_with_blender(path, 29.97, FRAMES, options.metres_per_unit)
    names, joints = seen.joints()
    order = [names.index(name) for name in JOINT_NAMES[options.names]]
    assert np.linalg.norm(joints[:, order] - motion.joints, axis=-1).max() < MILLIMETRE
    assert seen.about["fps"] == pytest.approx(29.97, abs=0.05)
