"""What the rows of a manifest say, as options of `anylift run`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import typer

from anylift_cli.batch.clips import Clip
from anylift_cli.batch.storage import is_url
from anylift_cli.errors import UsageError

_PATHS = ("FILE", "PATH", "DIR", "MESH", "IMAGE")
"""Words in an option's metavar that say that it may be a path."""


class RowOptions:
    """Reads options the way the command line does: same names, same checks, same words.

    Args:
        command: the function of `anylift run`.
        leave_out: its parameters that a row cannot set.
    """

    def __init__(self, command: Any, leave_out: Collection[str]) -> None:
        alone = typer.Typer(add_completion=False)
        alone.command("run")(command)
        self._command = typer.main.get_command(alone)
        self._known = {
            name.lstrip("-"): parameter
            for parameter in self._command.params
            if parameter.param_type_name == "option" and parameter.name not in leave_out
            for name in parameter.opts
            if name.startswith("--")
        }

    def check_names(self, clips: Collection[Clip]) -> None:
        """Raise UsageError for a column that is no option of a clip."""
        for name in {name for clip in clips for name in clip.options}:
            if name not in self._known:
                known = ", ".join(["video", "name", *self._known])
                raise UsageError(f"the manifest's column {name} is no option of a clip", f"known: {known}")

    def values(self, clip: Clip) -> dict[str, Any]:
        """The row's options, by the names of the function's parameters.

        Raises:
            UsageError: a value that the option does not take.
        """
        tokens = [token for name, value in clip.options.items() for token in self._tokens(name, value, clip)]
        names = {self._known[name].name for name in clip.options}
        try:
            context = self._command.make_context("clip", [*tokens, "clip"])
        except typer.BadParameter as error:
            raise UsageError(f"{clip.name}: {error.format_message()}", "correct the row of the manifest") from error
        return {name: context.params[name] for name in names}

    def _tokens(self, name: str, value: Any, clip: Clip) -> list[str]:
        parameter = self._known[name]
        if getattr(parameter, "is_flag", False):
            on = str(value).strip().lower() in ("1", "true", "yes", "on")
            return (parameter.opts if on else parameter.secondary_opts)[:1]
        values = [value]
        if parameter.multiple:
            values = value if isinstance(value, list) else str(value).split(";")
        may_be_path = any(word in (parameter.metavar or "") for word in _PATHS)
        return [f"--{name}={_found(one, clip.folder) if may_be_path else one}" for one in values]


def _found(value: Any, folder: str) -> Any:
    """A path relative to the manifest, where there is such a file."""
    text = str(value)
    if is_url(folder) or not Path(folder, text).exists():
        return value
    return Path(folder, text)
