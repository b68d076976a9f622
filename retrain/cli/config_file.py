"""`--config FILE`: options of a command from a file; what the command line and variables say counts before it.

The file is TOML whose keys are the names of options, or the model.json of an export, which has those of its run. Click
asks its `default_map` for whatever was said nowhere else; before that each value is checked here, so that a mistake is
told with the file and the key.
"""

import difflib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from label_image.errors import ForeignFileError, ModelError
from label_image.files import reason_of
from label_image.foreign_text import read_limited
from label_image.terminal import shown
from label_image.user_path import File
from retrain.cli.help_panels import takes_list

MANIFEST_ENDING = ".json"
Command = TypeVar("Command", bound=Callable[..., Any])


def _take(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Make the options of a file those that the command falls back on. Raises UsageError that names file and key."""
    if path is None or context.resilient_parsing:
        return
    options = {
        option.opts[0].removeprefix("--"): option
        for option in context.command.params
        if isinstance(option, click.Option) and option is not parameter
    }
    taken: dict[str, Any] = {}
    for key, value in _content(path).items():
        option = options.get(key.replace("-", "_"))
        if option is None and _is_of_an_export(path):
            raise click.UsageError(shown(f"{path} has {key}, an option of a training that is none here."), context)
        if option is None:
            raise click.UsageError(shown(f"{path} has {key}, {_no_option(key, value, options)}"), context)
        try:
            taken[str(option.name)] = _checked(option, value, context)
        except ValueError as error:
            raise click.UsageError(shown(f"{path} has {key} = {_as_written(value)}: {error}"), context) from None
    context.default_map = {**(context.default_map or {}), **taken}


def config_option(of_exports: str = "") -> Callable[[Command], Command]:
    """The option `--config`; `of_exports` says of which command's exports the options are taken, too."""
    return click.option(
        "--config",
        type=File,
        metavar="FILE",
        callback=_take,
        is_eager=True,
        expose_value=False,
        help=f"Options from a TOML file, by their names{of_exports}. What the command line says counts before it.",
    )


def _is_of_an_export(path: Path) -> bool:
    return path.suffix.lower() == MANIFEST_ENDING


def _content(path: Path) -> Mapping[str, Any]:
    """The keys of a file with their values. Raises UsageError."""
    try:
        if path.exists() and not path.is_file():  # a FIFO would be waited for
            raise ForeignFileError("is not a file")
        data = read_limited(path)
        return _of_an_export(data, path) if _is_of_an_export(path) else _of_toml(data.decode("utf-8-sig"))
    except OSError as error:
        reason = f"cannot be read: {reason_of(error)}"
    except UnicodeDecodeError:
        reason = "is not UTF-8"
    except ForeignFileError as error:
        reason = str(error)
    except ModelError as error:
        raise click.UsageError(shown(error)) from None
    except (ValueError, RecursionError) as error:
        reason = f"is not TOML ({error})"
    raise click.UsageError(shown(f"{path} {reason}; check --config."))


def _of_toml(text: str) -> Mapping[str, Any]:
    """The keys of a file. Raises ValueError."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # here, and not above: an installation that only labels has none
    return tomllib.loads(text)


def _of_an_export(data: bytes, path: Path) -> Mapping[str, Any]:
    """The options that an export was made with. Raises ModelError, ForeignFileError."""
    from label_image.manifest import parse_manifest

    content = parse_manifest(data, path.parent).content
    provenance, tuning = content.get("provenance"), content.get("fine_tuning")
    options = provenance.get("options") if isinstance(provenance, dict) else None
    if not isinstance(options, dict) or (tuning is not None and "asked" not in tuning):
        raise ForeignFileError("says not all options of the run that made it: it is of an older version")
    return options if tuning is None else {**options, "fine_tune_layers": tuning["asked"]}


def _no_option(key: str, value: object, options: Mapping[str, click.Option]) -> str:
    if isinstance(value, dict):
        return f"which is a table: write options without [{key}]."
    near = difflib.get_close_matches(key, options, 1)
    return f"which is no option here{f': is {near[0]} meant?' if near else '; `--help all` shows them.'}"


def _checked(option: click.Option, value: object, context: click.Context) -> object:
    """The value as Click takes it, which its type has seen. Raises ValueError with what it takes instead."""
    found = _as_option(option, value)
    try:
        option.process_value(context, found)
    except click.UsageError as error:
        raise ValueError(error.message) from None
    return found


def _as_option(option: click.Option, value: object) -> object:
    """The value that the command line would give: a number is none for a text, nor 1.5 a whole number."""
    kind, is_number = option.type, isinstance(value, int | float) and not isinstance(value, bool)
    if option.is_flag:
        return _if(isinstance(value, bool), value, "it takes true or false.")
    if isinstance(value, list):
        return _joined(option, value)
    if isinstance(kind, click.types.IntParamType):
        return _if(is_number and isinstance(value, int), value, "it takes a whole number.")
    if isinstance(kind, click.types.FloatParamType):
        return _if(is_number, value, "it takes a number.")
    if is_number and isinstance(kind, click.types.StringParamType):  # as --fine_tune_layers takes a number, or all
        return str(value)
    text = _if(isinstance(value, str), value, f"it takes a text{' or a list of them' if _takes_more(option) else ''}.")
    _if(text != "", text, "it is empty: leave it out.")
    return (text,) if option.multiple else text


def _joined(option: click.Option, values: list[object]) -> object:
    """A list, for an option that may be repeated or that takes values with commas between them."""
    _if(_takes_more(option), values, "it takes a single value.")
    plain = [value for value in values if isinstance(value, str | int | float) and not isinstance(value, bool)]
    _if(plain == values and values and "" not in values, values, "it takes a list of texts or numbers.")
    texts = tuple(map(str, values))
    return texts if option.multiple else ",".join(texts)


def _takes_more(option: click.Option) -> bool:
    return option.multiple or takes_list(option)


def _if(holds: object, value: object, otherwise: str) -> object:
    if not holds:
        raise ValueError(otherwise)
    return value


def _as_written(value: object) -> str:
    """As TOML has it, or nearly."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str | int | float | list) else str(value)
