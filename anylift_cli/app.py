"""The command line. A command is imported when it is called; help needs only what stands here."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from anylift_cli import __version__

COMMANDS = {
    "run": ("run", "Lift a video to 3D motion."),
    "batch": ("batch", "Lift many videos."),
    "keypoints": ("stages", "Find the 2D points of each person."),
    "cameras": ("stages", "Solve the camera of each frame, people masked out."),
    "objects": ("stages", "Follow objects whose meshes are known."),
    "lift": ("stages", "Lift the 2D points to 3D in the metric, gravity-aligned world."),
    "fit": ("stages", "Fit the body: one shape, a pose per frame, feet on the floor."),
    "edit": ("edit", "Change a motion, and measure what each change does."),
    "export": ("export", "Write motions in other formats, under their own names."),
    "view": ("view", "Write a page that shows a motion: the video, a 3D view, timelines, the weakest seconds."),
    "info": ("info", "Show what a file holds, and how it was made."),
    "doctor": ("doctor", "Show what this machine can run, what is missing, and the command that helps."),
    "synthesize": ("synthesize", "Make a scene with exact ground truth: video, keypoints, cameras and motion."),
    "train": ("train", "Train lifting networks."),
    "evaluate": ("evaluate", "Measure lifters and other tools' results against the truth."),
    "dataset": ("dataset", "Make data sets of folders of results."),
    "weights": ("weights", "Fetch, import and check weights that others publish."),
}
"""Name of each command: its module in `anylift_cli.commands`, which defines it by that name, and what it does."""

_SETTINGS = {"rich_markup_mode": "rich", "context_settings": {"help_option_names": ["-h", "--help"]}}
EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing found in the video, 4 something is not installed, "
    "130 stopped by Ctrl-C."
)


class Commands(TyperGroup):
    """The commands by their names, each imported when it is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, (_, summary) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=summary))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        name, known, rest = super().resolve_command(ctx, args)
        return name, known and load(name), rest


def load(name: str) -> Any:
    """The command, or group of commands, of this name, ready to be called."""
    command = getattr(import_module(f"anylift_cli.commands.{COMMANDS[name][0]}"), name)
    if isinstance(command, typer.Typer):
        return typer.main.get_command(command)
    alone = typer.Typer(add_completion=False, **_SETTINGS)
    alone.command(name)(command)
    return typer.main.get_command(alone)


app = typer.Typer(
    name="anylift", cls=Commands, no_args_is_help=True, epilog=EXIT_CODES, pretty_exceptions_enable=False, **_SETTINGS
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"anylift {__version__}")
        raise typer.Exit


@app.callback()
def anylift(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Ordinary video to metric, gravity-aligned 3D human motion.

    Example: anylift run video.mp4 --out motion.npz --overlay overlay.mp4
    """
