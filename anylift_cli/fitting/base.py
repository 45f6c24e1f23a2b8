"""Options of the fit stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FitOptions:
    """Options of the fit stage.

    Attributes:
        person: which person of the lifted file, 0-based.
        body: "open" (the body that ships with anylift) or the path of an SMPL file.
        height: standing height in metres, when known.
        contacts: whether hands that hold an object are brought to it, and objects that rest to the floor.
        device: torch device.
        seed: of every random choice.
        prior: of poses: "open" (ships with anylift), "vposer", or a path (see `body.priors`).
    """

    person: int = 0
    body: str = "open"
    height: float | None = None
    contacts: bool = True
    device: str = "cpu"
    seed: int = 0
    prior: str = "open"
