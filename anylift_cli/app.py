"""The command line. Nothing heavy is imported before a command's body runs."""

from __future__ import annotations

from typing import Annotated

import typer

from anylift_cli import __version__
from anylift_cli.commands.edit import edit
from anylift_cli.commands.evaluate import evaluate
from anylift_cli.commands.export import export
from anylift_cli.commands.info import info
from anylift_cli.commands.run import run
from anylift_cli.commands.stages import cameras, fit, keypoints, lift, objects
from anylift_cli.commands.synthesize import synthesize
from anylift_cli.commands.train import train
from anylift_cli.commands.view import view

EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing found in the video, 4 something is not installed, "
    "130 stopped by Ctrl-C."
)

app = typer.Typer(
    name="anylift",
    no_args_is_help=True,
    epilog=EXIT_CODES,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
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


for command in (run, keypoints, cameras, objects, lift, fit, edit, export, view, info, synthesize):
    app.command()(command)
for group in (train, evaluate):
    app.add_typer(group)
