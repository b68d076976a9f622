"""The files of the studio's pages, in memory: what is asked for is looked up among them, never on the disk."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from label_image.serve.page import PageFile

OF_CAMERA_PAGE = ("camera.js", "words.js")  # modules of the camera page that the studio's pages import from shared/


@cache
def studio_pages() -> Mapping[str, PageFile]:
    """By their path in an address; a folder's page is `index.html` in it, at the folder's path with a slash."""
    pages = {name: PageFile.named(name, file.read_bytes()) for name, file in _below(files("retrain.studio") / "page")}
    camera = files("label_image.web") / "page"
    for name in OF_CAMERA_PAGE:
        pages[f"shared/{name}"] = PageFile.named(name, (camera / name).read_bytes())
    return {
        **pages,
        **{name.removesuffix("index.html"): file for name, file in pages.items() if name.endswith("/index.html")},
    }


def _below(folder: Traversable, before: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _below(entry, f"{before}{entry.name}/")
        else:
            yield before + entry.name, entry
