"""The text of the clicking page."""

from __future__ import annotations

import html

import numpy as np

from anylift_cli.meshes.simplify import simplified
from anylift_cli.picking.session import Pickable, PickSession
from anylift_cli.report.html_arrays import pack
from anylift_cli.report.html_page import LIBRARIES, LOOK, as_json, asset, filled_page

MOST_FACES = 200_000
"""Of a mesh in the page; finer ones are shown coarser."""
_PACKAGE = "anylift_cli.picking"
_SCRIPTS = ("surface.js", "photo.js", "pick.js")


def pick_page(session: PickSession) -> str:
    """One HTML text with the meshes in it; it asks the server that it comes from for frames and poses only."""
    arrays: dict[str, np.ndarray] = {}
    objects = []
    for number, one in enumerate(session.objects.values()):
        vertices, faces = simplified(one.mesh.vertices / one.mesh.unit, one.mesh.faces, MOST_FACES)
        arrays[f"mesh{number}.vertices"] = vertices.astype(np.float32)
        arrays[f"mesh{number}.faces"] = faces.astype(np.uint32)
        objects.append({"name": one.name, "ball": one.ball is not None, "wanted": one.wanted, "size": _size(one)})
    index, data = pack(arrays)
    facts = {
        "video": session.video.name,
        "file": session.out.name,
        "first": session.lens.first,
        "last": session.lens.last,
        "focal": session.lens.source,
        "objects": objects,
        "entries": session.entries,
        "arrays": index,
    }
    return filled_page(
        asset("page.html", _PACKAGE),
        style=asset(LOOK) + asset("page.css", _PACKAGE),
        libraries=asset(LIBRARIES),
        program="\n".join([asset("data.js"), *(asset(name, _PACKAGE) for name in _SCRIPTS)]),
        slots={"title": html.escape(session.video.name), "facts": as_json(facts), "arrays": data},
        allowed={"img-src": "'self' data:", "connect-src": "'self'"},
    )


def _size(one: Pickable) -> str:
    """What the mesh is taken to measure, for people."""
    sides = np.ptp(one.mesh.vertices, axis=0)
    return " × ".join(f"{100 * side:.0f}" for side in sides) + " cm" if one.mesh.size_known else "of unknown size"
