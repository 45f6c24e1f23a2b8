"""Stick figures of a lifted person over the true one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from anylift_cli.body.skeleton import BODY24, BODY24_BONES, LEFT_HIP, RIGHT_HIP
from anylift_cli.evaluation.measure import HIPS
from anylift_cli.evaluation.results import ClipResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

WORST = 6
INSTANTS = 5
SIDES = ("front", "left side")
"""From where: as the true person stands in the first frame."""
REACH = 0.85, 1.1
"""Metres from the root to the sides of a panel, and to its top and bottom."""
TRUE_COLOURS = {"left": "#555555", "right": "#aaaaaa", "middle": "#888888"}
COLOURS = {"left": "#d62728", "right": "#1f77b4", "middle": "#222222"}

_TITLE = (
    "Prediction: left limbs red, right limbs blue. Truth: thick, left limbs dark grey, right limbs light grey.\n"
    "Roots are joined in each frame. Directions are those of the true person in the first frame."
)


def worst_clips(results: Sequence[ClipResult], label: str) -> Figure:
    """The `WORST` clips of one lifter, a row each: `INSTANTS` from each of `SIDES`, orthographic, all at one scale."""
    from matplotlib.figure import Figure

    worst = sorted(results, key=lambda result: -result.errors.values["mpjpe_mm"])[:WORST]
    figure = Figure(figsize=(17, 2.7 * len(worst) + 0.9), layout="constrained")
    figure.suptitle(f"Worst clips of {label}\n{_TITLE}", fontsize=12)
    rows = figure.subfigures(len(worst), 1, squeeze=False)[:, 0]
    for row, result in zip(rows, worst, strict=True):
        _draw_clip(row, result)
    return figure


def seen_from_sides(result: ClipResult) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and truth relative to their roots as seen from `SIDES`, each (2, T, 24, 2), metres, x right, y up."""
    across = result.truth[0, LEFT_HIP, :2] - result.truth[0, RIGHT_HIP, :2]
    left = np.array([*across, 0.0]) / max(float(np.linalg.norm(across)), 1e-9)
    up = np.array([0.0, 0.0, 1.0])
    sides = np.stack([np.stack([left, up]), np.stack([np.cross(up, left), up])])
    centred = (points - points[:, HIPS].mean(1, keepdims=True) for points in (result.predicted, result.truth))
    predicted, truth = (np.einsum("sij,tkj->stki", sides, points) for points in centred)
    return predicted, truth


def _draw_clip(figure: SubFigure, result: ClipResult) -> None:
    values = result.errors.values
    root = values.get("t_root_mm", np.nan)
    figure.suptitle(
        f"{result.clip} · {result.action or 'unknown action'} · camera {result.mode} · "
        f"MPJPE {values['mpjpe_mm']:.0f} mm · root path off by {root:.0f} mm",
        fontsize=10, x=0.01, ha="left",
    )  # fmt: skip
    predicted, truth = seen_from_sides(result)
    instants = np.linspace(0, len(result.truth) - 1, INSTANTS).round().astype(int)
    axes = figure.subplots(1, len(SIDES) * INSTANTS)
    for column, panel in enumerate(axes):
        side, frame = column // INSTANTS, instants[column % INSTANTS]
        _draw_bones(panel, truth[side, frame], TRUE_COLOURS, 4.0)
        _draw_bones(panel, predicted[side, frame], COLOURS, 1.5)
        across, along = REACH
        panel.set(xlim=(-across, across), ylim=(-along, along), aspect="equal", xticks=[], yticks=[])
        panel.set_title(f"frame {frame}: {result.errors.per_frame[frame]:.0f} mm", fontsize=8)
        panel.text(0.03, 0.97, SIDES[side], fontsize=7, va="top", transform=panel.transAxes)


def _draw_bones(axes: Axes, points: np.ndarray, colours: dict[str, str], width: float) -> None:
    """Bones whose ends are both known; `points` (24, 2)."""
    from matplotlib.collections import LineCollection

    sides = [{BODY24[point].partition("_")[0] for point in bone} for bone in BODY24_BONES]
    shades = [colours[side.pop()] if side in ({"left"}, {"right"}) else colours["middle"] for side in sides]
    axes.add_collection(LineCollection(points[list(BODY24_BONES)], colors=shades, linewidths=width, capstyle="round"))
