"""`anylift dataset …`: folders of results as data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anylift_cli.commands import options as opt

dataset = typer.Typer(
    name="dataset", no_args_is_help=True, help="Make data sets of folders of results.", rich_markup_mode="rich",
    add_completion=False, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip

_CHOICE, _LABELS = {"rich_help_panel": "Which clips"}, {"rich_help_panel": "What is said of them"}


@dataset.callback()
def group() -> None:
    """Make data sets of folders of results."""


@dataset.command()
@opt.command
def pack(
    common: opt.Common,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Motions of `anylift run` or `batch`, in any folders below it.")
    ],
    to: Annotated[str, typer.Option(metavar="amass|lerobot|parquet", help="The layout.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The new folder.")],
    quality: Annotated[
        str,
        typer.Option(
            metavar="good|fair|any",
            help="The worst rating, as on the page of `anylift view`, that a figure may have.",
            **_CHOICE,
        ),
    ] = "fair",
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="FIGURE=VALUE", help="A limit of your own, such as jitter_mm=10. Repeatable.", **_CHOICE),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="The least length.", **_CHOICE)] = 1.0,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Columns clip (a name or pattern), licence, source, task.", **_LABELS),
    ] = None,
    licence: Annotated[
        str, typer.Option(metavar="TEXT", help="Of clips of which --labels says none.", **_LABELS)
    ] = "unknown",
    split: Annotated[
        str, typer.Option(metavar="NAME=SHARE,...", help="Parts; what comes from one source stays together.")
    ] = "train=0.8,val=0.1,test=0.1",
    fps: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=1000,
            help="Frames per second of all motions. Default: lerobot 30, amass a multiple of 30, "
            "parquet the video's own frames.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Pack motions that are good enough as a data set, without duplicates, divided by source, with statistics.

    Example: anylift dataset pack lifted/ --to parquet --out kicks --licence CC-BY-4.0
    """
    from anylift_cli.dataset.choosing import Limits, parse_shares
    from anylift_cli.dataset.labels import Labels, read_labels
    from anylift_cli.dataset.pack import Packing
    from anylift_cli.dataset.pack import pack as packed

    packing = Packing(
        to, Limits(quality, seconds, _limits(limit or [])), parse_shares(split),
        read_labels(labels) if labels else Labels(), licence, fps, common.seed,
    )  # fmt: skip
    figures = packed(folder, out, packing, common.progress)
    parts = ", ".join(f"{name} {one['clips']}" for name, one in figures["parts"].items())
    reasons = "".join(f"\n  left out: {count} {reason}" for reason, count in figures["reasons"].items())
    common.show(
        {"out": str(out), **figures},
        lambda: f"{figures['clips']} clips, {figures['seconds']:.0f} s → {out} ({parts}){reasons}",
    )


def _limits(words: list[str]) -> dict[str, float]:
    from anylift_cli.errors import UsageError

    limits = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            limits[name] = float(value)
        except ValueError as error:
            raise UsageError(f"--limit {word} does not read FIGURE=VALUE", "try --limit jitter_mm=10") from error
    return limits
