"""Write what the site is made of into a folder: the pages of this repository, and those that its code makes.

    python -m scripts.site_pages build/docs

A folder of that name is replaced.
"""

import shutil
from pathlib import Path

import click

from scripts.site_pages.commands import command_pages
from scripts.site_pages.python_api import python_page
from scripts.site_pages.repository_pages import ROOT, assets, repository_pages

WITHOUT_SIDEBAR = "---\nhide: [navigation]\n---\n\n"  # a start page is the only one of its tab, or links to the others


def write_pages(folder: Path) -> None:
    """All pages, and the pictures in them."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = {**repository_pages(), **command_pages(), "reference/python.md": python_page()}
    for start in ("index.md", "pt/index.md"):
        pages[start] = WITHOUT_SIDEBAR + pages[start]
    for name, text in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for path in assets():
        target = folder / path.relative_to(ROOT / "docs")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write what the site is made of into FOLDER, which is replaced."""
    write_pages(folder)


if __name__ == "__main__":
    main()
