"""The names of the columns that a table has for its classes."""

from collections.abc import Sequence
from itertools import count


def distinct(labels: Sequence[str]) -> list[str]:
    """Names of classes, each there once: an equal one, as `--labels` may give, gets a number that no other one has.

    Two columns of one name are a table that pandas and Arrow do not read.
    """
    taken, before, found = set(labels), set(), []
    for label in labels:
        name = label
        if label in before:
            name = next(numbered for number in count(2) if (numbered := f"{label}-{number}") not in taken)
        taken.add(name)
        before.add(label)
        found.append(name)
    return found
