"""Why files are left out, counted for the screen; reasons that differ in numbers and paths alone are one.

They are known by their words, as the modules that refuse photos write them.
"""

import re
from collections import Counter
from collections.abc import Iterable

MOST = 4  # reasons in a sentence
_MISSING = re.compile(r"does not exist|cannot be (read|listed)|is a link to nothing")

# The beginning of a reason, and what it is called among many: of each, its file alone has the details in skipped.csv.
_ALIKE = {
    re.compile(pattern): name
    for pattern, name in {
        r"is cut off(?! JPEG)": "is cut off",
        r"is not a photo: it is a video.*": "is a video",
        r"cannot be decoded: ": "cannot be decoded",
        r"is damaged": "is damaged",
        r"is \d+ x \d+ pixels|would take|takes more memory": "takes too much memory",
        r"has \d+ bytes; the limit": "is too large",
        r"has [\d.]+ |has more than \d+ ": "has more in it than a photo needs",
        r"is another path to ": "is another path to a folder that is listed",
    }.items()
}
_VIDEOS = "Videos are not read: save single frames of them as JPEG; those of Live Photos are not needed"
_HELP = {
    "is a video": _VIDEOS,
    "holds only videos": _VIDEOS,
    "is cut off": "`accept_truncated` reads what is there of JPEGs that end early",
    "is not in a class folder": "Put the photos of each class into a folder of its own",
    "takes too much memory": "Make large photos smaller",
}


def counted(reasons: Iterable[str]) -> dict[str, int]:
    """How many files are left out for each reason, the most frequent first."""
    return dict(Counter(map(_general, reasons)).most_common())


def in_words(reasons: Iterable[str]) -> str:
    """The reasons with their counts, as in `20 × is a video, 1 is cut off`; no more than MOST of them."""
    found = counted(reasons)
    words = [with_count(reason, number) for reason, number in found.items()]
    rest = sum(list(found.values())[MOST:])
    others = "another reason" if rest == 1 else "other reasons"
    return ", ".join(words[:MOST] + [f"{rest:,} for {others}"] * (rest > 0))


def with_count(reason: str, number: int) -> str:
    """A reason of `counted` said of so many, as in `1 is a video` and `20 × is a video`."""
    return f"1 {reason}" if number == 1 else f"{number:,} × {reason}"


def what_would_help(reasons: Iterable[str]) -> str:
    """A sentence without its full stop for the most frequent reason; empty where nothing would."""
    return next((_HELP.get(reason, "") for reason in counted(reasons)), "")


def is_missing(reason: str) -> bool:
    """Whether a reason says that photos were not found, or could not be looked at: the source has them, or had."""
    return _MISSING.match(reason) is not None


def _general(reason: str) -> str:
    for pattern, name in _ALIKE.items():
        if pattern.match(reason):
            return name
    return re.sub(r" to /.*| \(.*", "", reason)
