"""Arguments that name a photo and are no paths: `-`, which is standard input, and addresses of the web."""

import re

STANDARD_INPUT = "-"
IS_WEB = re.compile(r"https?://", re.IGNORECASE)


def is_web_address(text: str) -> bool:
    """Whether a text is an address of the web, http or https."""
    return IS_WEB.match(text) is not None


def is_no_path(text: str) -> bool:
    """Whether an argument is standard input or an address."""
    return text == STANDARD_INPUT or is_web_address(text)
