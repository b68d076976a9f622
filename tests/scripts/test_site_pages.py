"""The pages of the site: every one within two clicks, with links that lead somewhere, and references that are whole."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
import yaml

import retrain
from retrain.cli.main import cli
from scripts.site_hooks import ARTICLE, on_post_page
from scripts.site_pages.__main__ import write_pages
from scripts.site_pages.figures import FIGURES, FOLDER
from scripts.site_pages.repository_pages import ROOT, with_links_of_the_site

PATHS = {"README.md": "project/readme.md", "docs/a.md": "a.md", "docs/pt/b.md": "pt/b.md", "docs/c.webp": "c.webp"}
LINK = re.compile(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "docs"
    write_pages(folder)
    return folder


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, which names a function of Python."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, name, node: name)


def entries(nav: object, depth: int = 0) -> Iterator[tuple[str, int]]:
    """The pages of a navigation, and in how many sections each is."""
    if isinstance(nav, str):
        yield nav, depth
    for one in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else ():
        yield from entries(one, depth + isinstance(nav, list))


def test_every_page_is_two_clicks_away(pages: Path) -> None:
    """A tab, and a page in its sidebar."""
    nav = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)["nav"]
    found = list(entries(nav))
    written = sorted(path.relative_to(pages).as_posix() for path in pages.rglob("*.md"))
    assert sorted(page for page, _ in found) == written and len(written) > 45
    assert max(depth for _, depth in found) == 2


def test_links_lead_to_pages_of_the_site(pages: Path) -> None:
    for page in pages.rglob("*.md"):
        text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        dead = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
        assert not dead, (page, dead)


def test_the_site_has_nothing_from_elsewhere() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert yaml.load(text, Loader)["theme"]["font"] is False
    assert "http" not in text and "http" not in (ROOT / "docs/site.css").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page, text, expected",
    [
        ("docs/a.md", "[r](../README.md#top) ![p](c.webp)", "[r](project/readme.md#top) ![p](c.webp)"),
        ("README.md", "[two\nlines](docs/a.md), [x](research/y.py)", "[two\nlines](../a.md), x"),
        ("docs/pt/b.md", "[![p](../c.webp)](../a.md)", "[![p](../c.webp)](../a.md)"),
        ("docs/a.md", "[w](https://a.b/c) [p](#here)", "[w](https://a.b/c) [p](#here)"),
        ("docs/a.md", "```\n[r](../README.md)\n```\n[r](c.webp)", "```\n[r](../README.md)\n```\n[r](c.webp)"),
    ],
)  # fmt: skip
def test_links_are_those_of_the_site(page: str, text: str, expected: str) -> None:
    assert with_links_of_the_site(text, page, PATHS) == expected


def commands(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        yield from commands(command) if isinstance(command, click.Group) else [command]


def test_references_have_every_option_and_every_name(pages: Path) -> None:
    text = "".join((pages / f"reference/{name}.md").read_text() for name in ("retrain", "retrain_commands"))
    for command in commands(cli):
        options = [each.opts[0] for each in command.params if isinstance(each, click.Option) and not each.hidden]
        assert [option for option in options if not re.search(rf"^`(?:-\w, )?{option}\b", text, re.M)] == []
    label_image = (pages / "reference/label_image.md").read_text()
    assert re.search(r"^`--port N?.*\n:   \S", label_image, re.M)
    assert "\n### " not in label_image  # its help has no panels
    python = (pages / "reference/python.md").read_text()
    assert [name for name in retrain.__all__ if f"\n### {name}\n" not in python] == []
    assert posixpath.sep not in "".join(re.findall(r"^\w+\($.*?^\)", python, re.M | re.S)).replace("tf_files/", "")


def test_portuguese_pages_say_so() -> None:
    pages = {name: SimpleNamespace(file=SimpleNamespace(src_uri=name)) for name in ("pt/index.md", "index.md")}
    said = {name: on_post_page(f"{ARTICLE}>Fotos</article>", page, None) for name, page in pages.items()}
    assert said == {"pt/index.md": f'{ARTICLE} lang="pt-BR">Fotos</article>', "index.md": f"{ARTICLE}>Fotos</article>"}


@pytest.mark.parametrize("name", FIGURES)
def test_pictures_are_as_their_code_draws_them(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == FIGURES[name]()
