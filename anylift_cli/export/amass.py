"""AMASS npz with SMPL-X keys, as GMR, PHC, holosoma and Meshcapade's Blender add-on read them.

These programs know no body but SMPL's family, so the file is written for SMPL-X: the pelvis is where the motion has
it, and the stature comes back through the first shape coefficient. anylift's own coefficients are another body's, and
are kept apart. Feet are therefore a few centimetres off the floor until the reader retargets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli import __version__
from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.parameters import body_of
from anylift_cli.export.motion_at import evenly
from anylift_cli.export.take import Take

SMPLX_REST_PELVIS = np.array([0.0031, -0.3514, 0.0120])
"""Pelvis of SMPL-X's mean shape at rest, m: world pelvis = this + `trans`."""
GMR_MEAN_HEIGHT, GMR_HEIGHT_STEP = 1.66, 0.1
"""GMR (utils/smpl.py) takes a person to be 1.66 + 0.1 betas[0] metres tall."""
_LARGEST_BETA = 5.0
_READERS_RATE = 30


class AmassExporter:
    """AMASS's SMPL-X layout, z up, one person per file."""

    name = "amass"
    suffix = ".amass.npz"
    one_person = True

    def write(self, take: Take, path: Path) -> Path:
        """Write the first motion of `take`, at its `fps` or, without one, at `readable_rate`.

        Raises:
            AnyliftError: the motion's body is not installed, its times are unusable, or `path` cannot be written.
        """
        motion = evenly(take.motions[0], take.options.fps or readable_rate(float(take.motions[0].fps)))
        betas = np.zeros(16, np.float32)
        betas[0] = np.clip((motion.height - GMR_MEAN_HEIGHT) / GMR_HEIGHT_STEP, -_LARGEST_BETA, _LARGEST_BETA)
        with atomic_path(path) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(
                stream,
                gender=np.array("neutral"),
                surface_model_type=np.array("smplx"),
                mocap_frame_rate=motion.fps,
                mocap_framerate=motion.fps,
                fps=motion.fps,
                mocap_time_length=motion.mocap_time_length,
                trans=(motion.joints[:, 0] - SMPLX_REST_PELVIS).astype(np.float32),
                poses=motion.poses,
                root_orient=motion.root_orient,
                pose_body=motion.pose_body,
                pose_hand=motion.pose_hand,
                pose_jaw=motion.pose_jaw,
                pose_eye=motion.pose_eye,
                betas=betas,
                num_betas=np.array(len(betas)),
                height=motion.height,
                timestamps=motion.timestamps,
                confidence=motion.confidence,
                foot_contact=motion.foot_contact,
                anylift_version=np.array(__version__),
                anylift_body=np.array(body_of(motion).name),
                anylift_betas=motion.betas,
                anylift_trans=motion.trans,
            )
        return Path(path)


def readable_rate(fps: float) -> float:
    """The whole multiple of 30 nearest to `fps`, at least 30.

    Readers take every int(fps / 30)-th frame and say that 30 of them last a second: none of a 29.97 frames/s file.
    """
    return float(_READERS_RATE * max(1, round(fps / _READERS_RATE)))
