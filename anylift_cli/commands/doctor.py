"""`anylift doctor`: what this machine can run."""

from __future__ import annotations

from typing import Any

import typer

from anylift_cli.commands import options as opt


@opt.command
def doctor(common: opt.Common) -> None:
    """Show what this machine can run, what is missing, and the command that helps.

    Exit code 4 when the default chain cannot run.

    Example: anylift doctor
    """
    from anylift_cli.doctor import examine

    about = examine()
    common.show(about, lambda: _tables(about))
    if not about["ready"]:
        raise typer.Exit(4)


def _tables(about: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    machine = Table("machine", "", box=None)
    for name in (
        "anylift",
        "python",
        "platform",
        "cores",
        "memory_gib",
        "weights_folder",
        "tools_folder",
        "disk_free_gib",
    ):
        machine.add_row(name.replace("_gib", ", GiB").replace("_", " "), escape(str(about[name])))
    for device in about["devices"]:
        machine.add_row("device", escape(", ".join(str(value) for value in device.values())))
    machine.add_row("ffmpeg program", about["ffmpeg"] or "none (not needed)")
    for plugin in about["plugins"]:
        machine.add_row("plugin", escape(plugin))
    parts = Table("stage", "part", "", "missing", "next", "licence", "speed, 2 cores", box=None)
    for part in about["parts"]:
        state = "[green]ready[/]" if part["ready"] else "[red]broken[/]" if part["default"] else "-"
        texts = (escape(part[name]) for name in ("missing", "next", "licence", "speed"))
        parts.add_row(part["stage"], part["name"], state, *texts)
    verdict = "the default chain can run" if about["ready"] else "[bold red]the default chain cannot run[/]"
    return Group(machine, "", parts, "", verdict)
