"""Values of another type than the one that is meant: a sentence, where else a traceback came from deep down.

What a field of a config may be is read from its annotation.
"""

import collections.abc
import numbers
import os
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from retrain.core.errors import OptionError

Kind = TypeVar("Kind")

WORDS: Mapping[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    types.NoneType: "None",
}


def require(value: object, kind: type[Kind], argument: str, step: str, advice: str) -> Kind:
    """The value, if it is one of that kind. Raises OptionError, which says what makes one."""
    if not isinstance(value, kind):
        raise OptionError(
            f"{step} takes a {kind.__name__} as `{argument}`; got {_shown(value)}: {advice}.",
        )
    return value


def check_kind(value: object, kinds: type | types.UnionType, argument: str, words: str) -> None:
    """Refuse a value of none of the kinds, which are called so in words. Raises OptionError."""
    if not isinstance(value, kinds):
        raise OptionError(f"`{argument}` takes {words}; got {_shown(value)}.")


def require_whole(value: object, argument: str) -> int:
    """The value as an int, if it is a whole number. Raises OptionError."""
    if not _fits(value, int):
        raise OptionError(f"`{argument}` takes {WORDS[int]}; got {_shown(value)}.")
    return int(value)  # type: ignore[call-overload,no-any-return]


def check_fields(config: object) -> None:
    """Refuse a config with a value of another type than its field's. Raises OptionError."""
    for name, hint in get_type_hints(type(config)).items():
        value = getattr(config, name)
        if not _fits(value, hint):
            raise OptionError(f"`{name}` takes {_in_words(hint)}; got {_shown(value)}.")


def _fits(value: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if origin is tuple:
        members = get_args(hint)
        return isinstance(value, tuple) and all(_fits(one, members[0]) for one in value)
    if origin is Literal:
        return isinstance(value, str)  # which one is said by whoever knows them
    if origin is collections.abc.Mapping:
        return isinstance(value, Mapping)
    if hint is bool or hint is str:
        return isinstance(value, hint)
    if hint is int or hint is float:
        kind = numbers.Integral if hint is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool)
    if hint is Path:
        return isinstance(value, str | os.PathLike)
    return not isinstance(hint, type) or isinstance(value, hint)


def _in_words(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(map(_in_words, get_args(hint)))
    if get_origin(hint) is tuple:
        return f"a list, each {_in_words(get_args(hint)[0])}"
    if get_origin(hint) is collections.abc.Mapping:
        return "a dictionary"
    return WORDS.get(hint, f"a {getattr(hint, '__name__', 'name')}")


def _shown(value: object) -> str:
    """The type of a value, and the value itself where that is short."""
    text = repr(value)
    return type(value).__name__ + (f" {text}" if isinstance(value, str | int | float) and len(text) < 40 else "")
