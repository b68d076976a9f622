"""The pages that people also read in the repository, with their links as the site has its pages.

In the repository README.md lies above docs/; on the site nothing lies above the start page. A link to a file that is
not on the site, such as an experiment, becomes its text.
"""

import os
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Pages outside of docs/, and where they are on the site.
OUTSIDE = {
    "README.md": "project/readme.md",
    "README.pt-BR.md": "pt/readme.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changes.md",
}
ASSETS = (".webp", ".png", ".svg", ".css", ".ipynb")
# A link or a picture: what is before its words, the words, the path, the place in it.
LINK = re.compile(
    r"(?P<mark>!?)\[(?P<words>(?:[^\[\]]|!?\[[^\[\]]*\]\([^()]*\))*)\]\((?P<path>[^()\s#:]+)(?P<place>#[^()\s]*)?\)"
)
FENCED = re.compile(r"(^```.*?^```$)", re.M | re.S)


def site_paths() -> dict[str, str]:
    """By their paths in the repository, where pages and their assets are on the site."""
    own = [path for path in sorted((ROOT / "docs").rglob("*")) if path.suffix in (".md", *ASSETS)]
    return {
        **OUTSIDE,
        **{path.relative_to(ROOT).as_posix(): path.relative_to(ROOT / "docs").as_posix() for path in own},
    }


def assets() -> list[Path]:
    """The pictures, style sheets and notebooks of docs/."""
    return [ROOT / path for path in site_paths() if path.endswith(ASSETS)]


def repository_pages() -> dict[str, str]:
    """The text of each page, by its path on the site."""
    paths = site_paths()
    return {
        target: with_links_of_the_site((ROOT / path).read_text(encoding="utf-8"), path, paths)
        for path, target in paths.items()
        if path.endswith(".md")
    }


def with_links_of_the_site(text: str, page: str, paths: Mapping[str, str]) -> str:
    """A page of the repository, `page`, with each link as its place on the site asks for; code stays as it is."""
    here = posixpath.dirname(paths[page])

    def mapped(found: re.Match[str]) -> str:
        linked = posixpath.normpath(posixpath.join(posixpath.dirname(page), found["path"]))
        if linked not in paths:
            return found["words"]
        path = os.path.relpath(paths[linked], here or ".")
        return f"{found['mark']}[{found['words']}]({path}{found['place'] or ''})"

    parts = FENCED.split(text)  # every other one is code
    return "".join(part if number % 2 else LINK.sub(mapped, part) for number, part in enumerate(parts))
