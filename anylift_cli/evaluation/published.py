"""Rows of the AnyLift paper (tables 1, 4), shown as published: their data, detections and models, not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

AIST_COLUMNS = ("j2d_px", "j2d_c_px", "fid", "t_root_mm", "mpjpe_mm", "pa_mpjpe_mm", "fs_cm")
AIST = {
    "static": {
        "SMPLify": (24.3, 14.7, 2.4, 90.3, 174.7, 132.8, 1.548),
        "WHAM": (75.5, 22.1, 3.1, 164.3, 104.8, 75.1, 0.579),
        "GVHMR": (106.4, 20.3, 2.9, 143.0, 97.6, 64.4, 0.547),
        "MVLift": (17.5, 14.3, 2.2, 67.6, 110.7, 79.2, 0.471),
        "AnyLift": (16.6, 13.3, 2.1, 64.9, 108.0, 82.3, 0.475),
    },
    "dynamic": {
        "SMPLify": (24.7, 14.9, 2.7, 90.9, 175.2, 134.6, 1.530),
        "MVLift": (18.0, 14.9, 2.1, 64.9, 122.1, 94.3, 0.487),
        "AnyLift": (16.7, 13.7, 2.0, 64.2, 109.3, 83.0, 0.446),
    },
}
BEHAVE_COLUMNS = ("t_root_mm", "mpjpe_mm", "pa_mpjpe_mm", "object_root_mm", "object_mpjpe_mm")
BEHAVE = {
    "static": {
        "SMPLify, box": (78.12, 114.56, 86.64, 795.06, 207.77),
        "SMPLify, chair": (64.86, 102.76, 80.75, 438.98, 145.35),
        "SMPLify, table": (70.06, 109.31, 86.10, 385.60, 124.86),
        "VisTracker, box": (51.72, 54.40, 50.40, 143.59, 359.50),
        "VisTracker, chair": (52.37, 72.72, 67.84, 90.18, 134.95),
        "VisTracker, table": (65.18, 85.51, 82.73, 177.17, 540.96),
        "AnyLift, box": (24.61, 42.68, 35.62, 95.38, 32.98),
        "AnyLift, chair": (22.48, 53.58, 43.85, 75.93, 34.54),
        "AnyLift, table": (26.05, 48.34, 39.06, 77.53, 51.28),
    },
    "dynamic": {
        "SMPLify, box": (82.21, 126.12, 89.85, 669.64, 185.48),
        "SMPLify, chair": (63.37, 107.22, 81.73, 555.70, 165.90),
        "SMPLify, table": (77.19, 119.42, 78.03, 514.62, 149.91),
        "AnyLift, box": (29.99, 43.60, 39.02, 96.76, 33.96),
        "AnyLift, chair": (23.87, 57.82, 45.25, 79.16, 44.60),
        "AnyLift, table": (28.09, 54.60, 42.91, 88.93, 56.97),
    },
}


def published(rows: dict[str, dict[str, tuple[float, ...]]], columns: tuple[str, ...]) -> Table:
    """A table of published rows, to stand below ours.

    `t_root_mm` there may be the mean over axes that MVLift's released code computes: compare `t_root_axis_mm`.
    """
    from rich.table import Table

    title = "As published: other detections, other models"
    shown = Table("cameras", "method", title=title, title_justify="left")
    for column in columns:
        shown.add_column(column, justify="right")
    for cameras, methods in rows.items():
        for method, values in methods.items():
            shown.add_row(cameras, method, *(f"{value:g}" for value in values))
        shown.add_section()
    return shown
