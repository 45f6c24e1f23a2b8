"""`anylift weights …`: what others publish and anylift can use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anylift_cli.commands import options as opt

if TYPE_CHECKING:
    from anylift_cli.weights_store.manifest import ExternalWeights

weights = typer.Typer(
    name="weights", no_args_is_help=True, help="Fetch, import and check weights that others publish.",
    rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


def _names() -> list[str]:
    from anylift_cli.weights_store.manifest import external_weights

    return sorted(external_weights())


Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=_names, help="As `anylift weights list` has it.")]


@weights.command("list")
@opt.command
def list_weights(common: opt.Common) -> None:
    """What there is, what of it is here, and under which licence.

    Example: anylift weights list
    """
    from anylift_cli.weights_store.fetching import installed
    from anylift_cli.weights_store.manifest import external_weights, packaged_folder, read_manifest

    rows = [
        {**{key: entry[key] for key in ("licence", "description")}, "name": file, "state": "shipped", "stage": ""}
        for file, entry in read_manifest(packaged_folder()).items()
    ]
    for entry in external_weights().values():
        here = [installed(file) is not None for file in entry.files]
        way = "fetch" if entry.fetchable else "import"
        rows.append(
            {
                "name": entry.name,
                "state": "here" if all(here) else f"{sum(here)} of {len(here)} files, {way}" if any(here) else way,
                "stage": entry.stage,
                "licence": entry.licence,
                "description": entry.description,
                "page": entry.page,
            }
        )
    common.show({"weights": rows}, lambda: _table(rows, ("name", "state", "stage", "licence", "description")))


@weights.command()
@opt.command
def fetch(
    common: opt.Common,
    name: Name,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the licence and agree to it.")
    ] = False,
) -> None:
    """Download weights; a broken download goes on from where it was.

    They go to the folder named by ANYLIFT_WEIGHTS, or to the cache folder of this platform.

    Example: anylift weights fetch vitpose-base
    """
    from anylift_cli.weights_store.fetching import fetch as fetch_weights
    from anylift_cli.weights_store.manifest import external

    files = fetch_weights(external(name), lambda entry: accept_licence or _asked(entry), common.progress)
    _show_files(common, files)


@weights.command("import")
@opt.command
def import_weights(
    common: opt.Common,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What you got from its owner; a zip archive too.")],
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", autocompletion=_names, help="What it is, if its own name does not tell."),
    ] = None,
) -> None:
    """Put a file that you got yourself to where anylift finds it.

    Example: anylift weights import SMPL_python_v.1.1.0.zip
    """
    from anylift_cli.weights_store.fetching import import_file

    _show_files(common, import_file(file, name))


@weights.command()
@opt.command
def verify(
    common: opt.Common,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Default: all that are here.")] = None,
) -> None:
    """Compare what is here with the published sums, or with those of the first download; 1 when something differs.

    Example: anylift weights verify
    """
    from anylift_cli.weights_store.fetching import verify as verify_weights

    verdicts = verify_weights(names or [])
    rows = [{"name": one.name, "file": one.file, "state": one.state, "path": str(one.path or "")} for one in verdicts]
    common.show({"files": rows}, lambda: _table(rows, ("name", "file", "state", "path")))
    if any(one.state in ("damaged", "missing") for one in verdicts):
        raise typer.Exit(1)


@weights.command()
@opt.command
def path(common: opt.Common, name: Name) -> None:
    """Where the files of weights lie; 4 when they are not here.

    Example: anylift weights path smpl-neutral
    """
    from anylift_cli.weights_store.finding import find_weights
    from anylift_cli.weights_store.manifest import external

    _show_files(common, [find_weights(file.file) for file in external(name).files])


def _asked(entry: ExternalWeights) -> bool:
    """Ask on a terminal; nobody there has not agreed."""
    import sys

    if not sys.stdin.isatty():
        return False
    return typer.confirm(f"{entry.name}: {entry.licence}; {entry.gate} ({entry.page}). Do you agree?", err=True)


def _show_files(common: opt.Common, files: list[Path]) -> None:
    common.show({"files": [str(file) for file in files]}, lambda: "\n".join(map(str, files)))


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*(escape(str(row[column])) for column in columns))
    return table
