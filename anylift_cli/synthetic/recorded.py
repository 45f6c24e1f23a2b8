"""People who move as somebody was recorded to, to be filmed as scenes."""

from __future__ import annotations

import numpy as np
import torch

from anylift_cli.body.model import BodyModel
from anylift_cli.body.priors import load_prior
from anylift_cli.fitting.base import FitOptions
from anylift_cli.fitting.objective import Target
from anylift_cli.fitting.solve import fit_person
from anylift_cli.geometry.cameras import invert, look_at
from anylift_cli.geometry.threads import one_thread
from anylift_cli.progress import SILENT, Progress
from anylift_cli.synthetic.scene import Performance

_WITNESS = 20.0
"""Metres from the middle of the path to where the fit is looked at from, which tells it nothing."""


def recorded_performance(
    points: np.ndarray,
    deviation: np.ndarray,
    times: np.ndarray,
    azimuth: float,
    body: BodyModel,
    progress: Progress = SILENT,
) -> Performance:
    """The open body in the shape, poses and places of a recorded person.

    Poses are fitted, so what a scene of it shows is the truth of that scene, near to the recording but not equal to it.
    The path is moved to the middle of the hall.

    Args:
        points: (T, 24, 3) `body24`, m, z up, floor z = 0.
        deviation: (24,) their standard deviations, m; large where a point is not known.
        times: (T,) seconds.
        azimuth: radians, direction from the person to the camera.
    """
    middle = (points.min((0, 1)) + points.max((0, 1))) / 2 * [1, 1, 0]
    witness = look_at(np.array([[0.0, -_WITNESS, 1.0]]), np.array([[0.0, 0.0, 1.0]])).repeat(len(times), 0)
    values = (
        points - middle,
        np.broadcast_to(deviation, points.shape[:2]),
        np.zeros((*points.shape[:2], 2)),
        np.zeros(points.shape[:2]),
        invert(witness),
        times - times[0],
    )
    target = Target(*(torch.as_tensor(np.array(value), dtype=torch.float32) for value in values))
    with one_thread(), progress.task("fitting the body to the recording", total=2 * len(times)) as task:
        fit = fit_person(target, body, load_prior(FitOptions().prior), None, task)
    transl = fit.parameters.transl.double().numpy() - [0, 0, fit.floor or 0.0]
    return Performance(
        body=body,
        pose=fit.parameters.pose.double().numpy(),
        betas=fit.betas[0].double().numpy(),
        transl=transl,
        foot_contact=(fit.contact > 0.5).double().numpy(),
        boxes=[],
        azimuth=azimuth,
        time=times - times[0],
    )
