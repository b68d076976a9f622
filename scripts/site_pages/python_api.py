"""The reference of the Python API: each name of `retrain.__all__` with its signature and what its docstring says."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import PurePath

import retrain

BEGINNING = """# The Python API

`from retrain import Dataset, extract, …`: what each name takes and gives, as the code says it. [At work](../api.md),
step by step. An export is used by `label_image` alone, without any of this.
"""


def python_page() -> str:
    """The page."""
    kinds: dict[str, list[str]] = {"Functions": [], "Classes": [], "Values": []}
    for name in sorted(retrain.__all__, key=str.lower):
        value = getattr(retrain, name)
        kind = "Classes" if inspect.isclass(value) else "Functions" if callable(value) else "Values"
        kinds[kind].append("".join(_entry(name, value)))
    return BEGINNING + "".join(f"\n## {kind}\n\n{''.join(entries)}" for kind, entries in kinds.items() if entries)


def _entry(name: str, value: object) -> Iterator[str]:
    yield f"### {name}\n\n"
    if not callable(value):
        yield f"A `{type(value).__name__}` of {len(value)} names.\n\n" if hasattr(value, "__len__") else "\n"
        return
    yield f"```python\n{name}{_signature(value)}\n```\n\n{_prose(value)}\n"
    if inspect.isclass(value):
        for method, member in _public_members(value):
            yield f"#### {name}.{method}\n\n```python\n{name}.{method}{_signature(member)}\n```\n\n{_prose(member)}\n"


def _public_members(value: type) -> Iterator[tuple[str, object]]:
    """The documented methods and properties that a class itself defines, in their order."""
    for name, member in vars(value).items():
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if not name.startswith("_") and inspect.getdoc(plain) and (callable(plain) or isinstance(plain, property)):
            yield name, plain


def _signature(value: object) -> str:
    """As it is called; of many parameters one stands in a line."""
    if isinstance(value, property) or not callable(value) or (inspect.isclass(value) and issubclass(value, Exception)):
        return ""
    signature = inspect.signature(value)
    parameters = [_parameter(each) for each in signature.parameters.values() if each.name not in ("self", "cls")]
    returned = signature.return_annotation
    says = "" if returned in (inspect.Signature.empty, None) else f" -> {_annotation(returned)}"
    line = f"({', '.join(parameters)}){says}"
    return "(\n    " + ",\n    ".join(parameters) + f",\n){says}" if len(line) > 72 else line


def _parameter(parameter: inspect.Parameter) -> str:
    annotation = "" if parameter.annotation is parameter.empty else f": {_annotation(parameter.annotation)}"
    return f"{parameter.name}{annotation}{_default(parameter.default)}"


def _default(value: object) -> str:
    """The default of a parameter: of a config its name alone, for its own entry has what it holds."""
    if value is inspect.Parameter.empty:
        return ""
    if dataclasses.is_dataclass(value):
        return f" = {type(value).__name__}()"
    text = repr(str(value)) if isinstance(value, PurePath) else repr(value)
    return " = …" if text.startswith("<") else f" = {text}"


def _annotation(annotation: object) -> str:
    """Names of types without those of their modules."""
    is_plain = isinstance(annotation, type) and not hasattr(annotation, "__args__")
    text = annotation.__name__ if is_plain else str(annotation)  # type: ignore[union-attr]
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text).replace("'", "")


def _prose(value: object) -> str:
    """A docstring; a generated one, which says the signature again, is none."""
    text = inspect.getdoc(value) or ""
    if inspect.isclass(value) and text.startswith(f"{value.__name__}("):
        return ""
    return f"{text}\n"
