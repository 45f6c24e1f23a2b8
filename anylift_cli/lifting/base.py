"""What every lifter offers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LiftOptions:
    """Options of the lift stage.

    Attributes:
        lifter: entry point of the group `anylift.lifters`.
        height: standing height of the person in metres, when known.
        device: torch device.
        seed: of every random choice.
    """

    lifter: str = "optimize"
    height: float | None = None
    device: str = "cpu"
    seed: int = 0
