"""USD: everyone under a SkelRoot of their own, the camera and the objects, in one binary file.

Needs `usd-core` (the extra `usd`), which is imported only where a file is written.
"""

from __future__ import annotations

from pathlib import Path

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.errors import MissingDependencyError
from anylift_cli.export.surface import body_colours
from anylift_cli.export.take import Take


class UsdExporter:
    """Universal Scene Description; all persons in one file."""

    name = "usd"
    suffix = ".usd"
    one_person = False

    def __init__(self) -> None:
        """Raises MissingDependencyError where `usd-core` is not installed."""
        try:
            import pxr  # noqa: F401
        except ImportError as error:
            raise MissingDependencyError(
                f"USD files need the package usd-core: {error}", 'pip install "anylift-cli[usd]"'
            ) from error

    def write(self, take: Take, path: Path) -> Path:
        """Write `take` as one stage, in the axes and the unit of its options.

        Raises:
            AnyliftError: a motion's body is not installed, or `path` cannot be written.
        """
        from anylift_cli.export.usd_stage import save, stage_of

        stage = stage_of(take.scene, [body_colours(motion) for motion in take.motions])
        with atomic_path(path) as temporary:
            save(stage, temporary)
        return Path(path)
