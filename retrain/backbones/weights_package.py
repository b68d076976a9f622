"""Weights that are a file of an installed Python package; its code is never imported."""

from importlib import metadata
from pathlib import Path

from label_image.installing import how_to_install


def file_of_package(package: str, name: str) -> Path | None:
    """The file of that name which an installed package lists as its own, or None."""
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if file.name == name)
    return next((path for path in paths if path.is_file()), None)


def not_installed(architecture: str, package: str) -> str:
    """What to say where the package is missing."""
    return (
        f"The weights of {architecture} come with the Python package {package}, which is not installed: "
        f"{how_to_install('train')}, or pass another file with `weights`."
    )
