"""Options of the fit stage."""

from __future__ import annotations

from dataclasses import dataclass

HANDS, BODY, FLOOR = CONTACTS = "hands", "body", "floor"
"""What contacts do: hands hold and carry, the body stays outside of objects, objects rest on the floor."""


@dataclass(frozen=True)
class FitOptions:
    """Options of the fit stage.

    Attributes:
        person: which person of the lifted file, 0-based.
        body: "open" (the body that ships with anylift) or the path of an SMPL file.
        height: standing height in metres, when known.
        contacts: with objects, those of `CONTACTS` that count.
        device: torch device.
        seed: of every random choice.
        prior: of poses: "open" (ships with anylift), "vposer", or a path (see `body.priors`).
    """

    person: int = 0
    body: str = "open"
    height: float | None = None
    contacts: tuple[str, ...] = CONTACTS
    device: str = "cpu"
    seed: int = 0
    prior: str = "open"
