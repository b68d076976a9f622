"""Names of photos that are no paths: `-`, which is standard input, and addresses of the web and of storages."""

import os
import re

STANDARD_INPUT = "-"
IS_WEB = re.compile(r"https?://", re.IGNORECASE)
IS_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
IS_OBJECT = re.compile(r"(s3|gs|hdfs)://", re.IGNORECASE)


def is_web_address(text: str) -> bool:
    """Whether a text is an address of the web, http or https."""
    return IS_WEB.match(text) is not None


def scheme_of(path: str | bytes | os.PathLike[str]) -> str | None:
    """How a text begins that is an address, as `file://`; of others None."""
    found = IS_ADDRESS.match(os.fsdecode(path))
    return None if found is None else found[0]


def is_object_address(text: str | os.PathLike[str]) -> bool:
    """Whether a text is an address of a storage that `label_image.object_storage` reads."""
    return isinstance(text, str) and IS_OBJECT.match(text) is not None


def is_no_path(text: str) -> bool:
    """Whether an argument is standard input or an address."""
    return text == STANDARD_INPUT or is_web_address(text) or is_object_address(text)
