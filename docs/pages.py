"""Pages of the documentation that are made when it is built (MkDocs hooks): the start page and one of each command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.cli import get_docs_for_click
from typer.core import MARKUP_MODE_KEY

from anylift_cli.app import COMMANDS, EXIT_CODES, load

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

README = Path(__file__).parents[1] / "README.md"
EXAMPLE = re.compile(r"^Example: (.+)$", re.MULTILINE)


def command_page(name: str) -> str:
    """What `anylift NAME --help` says, of its subcommands as well, as Markdown."""
    command = load(name)
    context = typer.Context(command, info_name=f"anylift {name}", obj={MARKUP_MODE_KEY: "rich"})
    page = get_docs_for_click(obj=command, ctx=context, name=name, call_prefix="anylift")
    page = EXAMPLE.sub(lambda found: f"**Example**:\n\n```console\n$ {found[1]}\n```", page)
    return f"{page}\n{EXIT_CODES}\n"


def start_page() -> str:
    """The README, with its links as they are from within `docs/`."""
    return re.sub(r"(\]\()docs/", r"\1", README.read_text(encoding="utf-8"))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the commands in the navigation."""
    config.nav.append({"Commands": [{f"anylift {name}": f"commands/{name}.md"} for name in COMMANDS]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    pages = {"index.md": start_page(), **{f"commands/{name}.md": command_page(name) for name in COMMANDS}}
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files
