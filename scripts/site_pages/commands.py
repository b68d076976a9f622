"""The reference of the commands, from what Click knows of them: every option with its help."""

import re
from collections.abc import Iterator, Mapping, Sequence

import click

from label_image.cli import cli as label_image
from label_image.serve.cli import cli as serve
from retrain.cli.help_panels import PanelCommand, option_row, panels_of
from retrain.cli.main import cli as retrain

# What begins a word of help that is code: an option, a name of a file, of a format or of an architecture.
CODE = re.compile(r"(?<![\w`/])(--\w+(?:=\w+)?)")


def command_pages() -> dict[str, str]:
    """The pages by their paths on the site."""
    commands = dict(retrain.commands)
    train = commands.pop("train")
    return {
        "reference/retrain.md": _page("retrain", {"retrain": train}),
        "reference/retrain_commands.md": _page(
            "The other commands of retrain", {f"retrain {name}": command for name, command in _flat(commands)}
        ),
        "reference/label_image.md": _page("label_image", {"label_image": label_image, "label_image serve": serve}),
    }


def _flat(commands: Mapping[str, click.Command]) -> Iterator[tuple[str, click.Command]]:
    """All commands, those of groups by both names."""
    for name, command in commands.items():
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", each) for inner, each in _flat(command.commands))
        else:
            yield name, command


def _page(title: str, commands: Mapping[str, click.Command]) -> str:
    """A page with a section for each command; one that has the page alone is the page."""
    sections = [_command(name, command, alone=len(commands) == 1) for name, command in commands.items()]
    note = "Dashes and underscores are the same in the names of options: `--image-dir` is `--image_dir`.\n"
    return f"# {title}\n\n{note}\n" + "\n".join(sections)


def _command(name: str, command: click.Command, alone: bool) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    options = {option.opts[0]: option for option in command.get_params(context) if isinstance(option, click.Option)}
    title = "" if alone else f"## {name}\n\n"
    level = "##" if alone else "###"
    in_panels = isinstance(command, PanelCommand)  # those of `retrain`
    panels = panels_of(options, (command.name or "").capitalize()) if in_panels else {"": list(options)}
    shown = {panel: [options[each] for each in names] for panel, names in panels.items()}
    body = "".join(
        (f"{level} {panel}\n\n" if len(shown) > 1 else "") + _definitions(each, context)
        for panel, each in shown.items()
    )
    return f"{title}```\n{usage}\n```\n\n{_words(command.help or '')}\n\n{body}"


def _words(text: str) -> str:
    """Paragraphs of help; an example is code."""
    paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    return "\n\n".join(
        f"Example: `{part.removeprefix('Example: ')}`" if part.startswith("Example: ") else _marked(part)
        for part in paragraphs
    )


def _definitions(options: Sequence[click.Option], context: click.Context) -> str:
    rows = []
    for option in options:
        name, text = option_row(option, context)
        rows.append(f"`{' '.join(name.split())}`\n:   {_marked(' '.join(text.split()))}\n")
    return "\n".join(rows) + "\n"


def _marked(text: str) -> str:
    """Help as Markdown: names of options as code, and no sign of it that is not meant."""
    parts = text.split("`")
    plain = [re.sub(r"([*<>\[\]|_\\])", r"\\\1", part) if n % 2 == 0 else f"`{part}`" for n, part in enumerate(parts)]
    return CODE.sub(lambda found: f"`{found[1]}`", "".join(plain).replace("\\_", "_"))
