"""BVH reading: forward kinematics on a hand-written file, and clear errors on damaged ones."""

from __future__ import annotations

import numpy as np
import pytest

from anylift_cli.errors import AnyliftError
from anylift_cli.export.bvh_reader import read_bvh

ARM = """HIERARCHY
ROOT hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT upper arm
  {
    OFFSET 10 0 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    JOINT hand
    {
      OFFSET 5 0 0
      CHANNELS 3 Xrotation Yrotation Zrotation
      End Site
      {
        OFFSET 1 0 0
      }
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.04
0 0 0 0 0 0 0 0 0 0 0 0
1 2 3 90 0 0 0 90 0 0 0 0
"""


def test_pose_follows_the_channels(tmp_path):
    path = tmp_path / "arm.bvh"
    path.write_text(ARM)
    motion = read_bvh(path)
    assert motion.names == ("hips", "upper_arm", "hand")
    assert motion.parents == (-1, 0, 1)
    assert motion.frame_time == 0.04
    np.testing.assert_array_equal(motion.end_sites[2], [1, 0, 0])
    positions, _ = motion.pose()
    np.testing.assert_allclose(positions[0], [[0, 0, 0], [10, 0, 0], [15, 0, 0]])
    # Turned 90° about z, x points along y; turned 90° about its own y then, along -z.
    np.testing.assert_allclose(positions[1], [[1, 2, 3], [1, 12, 3], [1, 12, -2]], atol=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "", "expected 'HIERARCHY'"),
        ("ROOT hips", "JOINT hips", "expected 'ROOT'"),
        ("OFFSET 10 0 0", "OFFSET 10 0", "expected 'OFFSET' and 3 values"),
        ("OFFSET 10 0 0", "OFFSET 10 nan 0", "not a usable number"),
        ("OFFSET 10 0 0", "OFFSET ten 0 0", "'ten' is not a number"),
        ("CHANNELS 6", "CHANNELS 7", "announces 7 channels and names 6"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation", "unknown or repeated channel"),
        ("JOINT hand", "BONE hand", "expected 'JOINT', 'End Site' or '}'"),
        ("JOINT hand", "JOINT", "a joint has no name"),
        ("}\nMOTION", "MOTION", "expected 'JOINT', 'End Site' or '}', found 'MOTION'"),
        ("Frames: 2", "Frames: 3", "announces 3 frames and holds 2"),
        ("Frames: 2", "Frames: -2", "not a usable number"),
        ("Frame Time: 0.04", "Frame Time: 0", "the frame time is not positive"),
        ("1 2 3 90", "1 2 3", "line 25: 11 values for 12 channels"),
        ("1 2 3 90", "1 2 x 90", "a motion value is not a number"),
        ("1 2 3 90", "1 2 inf 90", "NaN or infinite"),
        (ARM[ARM.index("JOINT hand") :], "", "the file ends too early"),
        (ARM, "", "the file ends too early"),
    ],
)
def test_damaged_files_are_named(tmp_path, old, new, message):
    path = tmp_path / "damaged.bvh"
    path.write_text(ARM.replace(old, new, 1))
    with pytest.raises(AnyliftError) as error:
        read_bvh(path)
    assert message in error.value.message
    assert str(path) in error.value.message


def test_no_such_file_and_not_text(tmp_path):
    with pytest.raises(AnyliftError, match="does not exist"):
        read_bvh(tmp_path / "none.bvh")
    with pytest.raises(AnyliftError, match="cannot be read"):
        read_bvh(tmp_path)
    (tmp_path / "noise.bvh").write_bytes(bytes(range(256)) * 9)
    with pytest.raises(AnyliftError, match="expected 'HIERARCHY'"):
        read_bvh(tmp_path / "noise.bvh")


def test_a_very_deep_tree_is_refused_not_a_crash(tmp_path):
    path = tmp_path / "deep.bvh"
    path.write_text("HIERARCHY\nROOT a\n" + "{\nOFFSET 0 0 0\nCHANNELS 0\nJOINT a\n" * 20_000)
    with pytest.raises(AnyliftError, match="more than 10000 joints"):
        read_bvh(path)
