"""Names of tables that would tell people and programs of another kind of file."""

from pathlib import Path

from label_image.not_paths import STANDARD_INPUT

TABLES = frozenset({".csv", ".parquet", ".jsonl"})
PHOTOS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"})


def misnamed(option: str, path: Path, ending: str) -> str:
    """A sentence that refuses `-`, the name of a photo or of a table other than `ending`; nothing for other names."""
    if str(path) == STANDARD_INPUT:  # of programs that write what they are asked for to their output
        instead = "" if option == "--embed" else "use --json, or "
        return f"{option} - is standard output, which cannot be a table: {instead}name a file."
    found = path.suffix.lower()
    if found in PHOTOS:  # `--csv *.jpg`: the first of them
        return f"{option} {path} has the name of a photo: name the table after {option}."
    if found in TABLES - {ending}:
        return f"{option} {path} has the name of a {found} file: call it {path.with_suffix(ending).name}."
    return ""
