"""How large the parts of the code are, and that files import in one direction.

Unlike a linter of imports this reads every `import`: deferred ones in functions and those for types alone count too.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES = 400  # of a module
MOST_OF_A_FUNCTION = 60  # lines, without its decorators
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder in ("retrain", "label_image", "scripts", "research")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
TESTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests").rglob("*.py"))
}
Imports = Mapping[str, set[str]]


def name_of(path: str) -> str:
    """`retrain/core/__init__.py` is the module `retrain.core`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports_of(texts: Mapping[str, str]) -> Imports:
    """The modules among these (by path) that each of them imports, wherever in its text."""
    modules = {name_of(path) for path in texts}
    found: dict[str, set[str]] = {}
    for path, text in texts.items():
        name = name_of(path)
        package = name if path.endswith("/__init__.py") else name.rpartition(".")[0]
        found[name] = set(_imports(ast.parse(text), package, modules)) - {name}
    return found


def _imports(tree: ast.Module, package: str, modules: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            for alias in node.names:
                module = f"{base}.{alias.name}"
                yield from [module] if module in modules else [base] if base in modules else []


def circles(imports: Imports) -> list[set[str]]:
    """Groups of modules that import each other, directly or by way of others."""
    reached = {name: _reached(name, imports) for name in imports}
    groups: list[set[str]] = []
    for name in imports:
        group = {other for other in reached[name] if name in reached[other]}
        if group and group not in groups:
            groups.append(group)
    return groups


def _reached(name: str, imports: Imports) -> set[str]:
    found: set[str] = set()
    waiting = list(imports[name])
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += imports[other]
    return found


def long_functions(text: str) -> list[tuple[str, int]]:
    """The functions of a module that are too long, each with its number of lines."""
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    lengths = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in functions]
    return [(name, lines) for name, lines in lengths if lines > MOST_OF_A_FUNCTION]


def test_no_module_is_long() -> None:
    lengths = {path: len(text.splitlines()) for path, text in (SOURCES | TESTS).items()}
    assert len(TESTS) > 200
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_long() -> None:
    long = {path: long_functions(text) for path, text in (SOURCES | TESTS).items()}
    assert {path: functions for path, functions in long.items() if functions} == {}


def test_no_files_import_each_other_in_a_circle() -> None:
    imports = imports_of(SOURCES)
    assert len(imports) > 200 and sum(map(len, imports.values())) > 800
    assert [sorted(group) for group in circles(imports)] == []


def test_label_image_imports_nothing_of_retrain() -> None:
    imports = imports_of(SOURCES)
    assert {
        (name, other)
        for name, others in imports.items()
        for other in others
        if name.startswith("label_image") and not other.startswith("label_image")
    } == set()


def test_every_kind_of_import_is_seen() -> None:
    texts = {
        "a/__init__.py": "",
        "a/plain.py": "import a.deferred",
        "a/deferred.py": "def f():\n    from a import typed",
        "a/typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .relative import X",
        "a/relative.py": "from . import plain",
        "a/alone.py": "from a.plain import x\nimport json",
    }
    imports = imports_of(texts)
    assert imports["a.alone"] == {"a.plain"}
    assert circles(imports) == [{"a.plain", "a.deferred", "a.typed", "a.relative"}]


def test_a_long_function_is_seen() -> None:
    lines = "\n".join(f"        x = {number}" for number in range(MOST_OF_A_FUNCTION))
    assert long_functions(f"class A:\n    @property\n    def f(self):\n{lines}") == [("f", MOST_OF_A_FUNCTION + 1)]
