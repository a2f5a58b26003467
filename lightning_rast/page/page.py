"""The page as a whole: one file, no network, no scripts but its own."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lightning_rast.page import course, sections
from lightning_rast.page.facts import Facts
from lightning_rast.page.markup import Markup, element, joined
from lightning_rast.page.scene_data import cameras_block, mesh_block
from lightning_rast.page.view_tiles import views
from lightning_rast.scene import Mesh

MOST_VERTS = 100_000  # of the mesh in the page, about 2.5 MB
MOST_CHARACTERS = 2_500_000  # photographs are made smaller, or left out, to stay below

_FOLDER = Path(__file__).parent
_SCRIPTS = ("vendor/three.min.js", "viewer.js", "page.js")


def written_page(facts: Facts, *, simplify: Callable[..., Mesh]) -> str:
    """The page, of a few MB at most: of a mesh of more vertices than MOST_VERTS the 3D view shows
    `simplify(mesh, max_verts=...)`, and says so."""
    if facts.mesh.num_verts <= MOST_VERTS:
        return page_html(facts)
    shown = simplify(facts.mesh, max_verts=MOST_VERTS)
    return page_html(replace(facts, coarser=shown.num_faces), shown)


def page_html(facts: Facts, shown: Mesh | None = None) -> str:
    """The page of a run.

    shown: what the 3D view shows in place of the mesh, if that is too large for a page.
    """
    style = _text("style.css")
    scripts = [_text(name) for name in _SCRIPTS]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(style, scripts)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{facts.name} – reconstruction"),
        element("style", Markup(style)),
    )
    above = [
        sections.heading(facts),
        sections.cards(facts),
        sections.warnings_box(facts),
        sections.result(facts),
    ]
    columns = (sections.scores(facts), course.timings(facts), sections.mesh_state(facts))
    below = [
        course.curves(facts),
        element("div", *columns, class_="columns"),
        sections.config(facts),
        sections.small_print(facts),
    ]
    behind = [
        cameras_block(facts.scored),
        mesh_block(shown or facts.mesh),
        *(element("script", Markup(script)) for script in scripts),
    ]
    room = MOST_CHARACTERS - sum(len(part or "") for part in (head, *above, *below, *behind))
    main = element("main", *above, views(facts, room=room), *below)
    body = element("body", main, *behind)
    return joined((Markup("<!doctype html>\n"), element("html", head, body, lang="en"), "\n"))


def policy(style: str, scripts: list[str]) -> str:
    """What the browser may load and run: this style, these scripts, pictures in the page itself."""
    hashes = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src {_hash(style)};"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
