"""Errors name fields; the command line has options of their names."""

from pathlib import Path

import click
import pytest

from retrain.cli.dashes import with_dashes
from retrain.cli.main import cli, main


def test_fields_are_options_and_other_names_stay() -> None:
    said = "`l2` 0, `repair` and `image_dir`: ask `extract`, see `a.b()` and `no option`."
    assert with_dashes(said, cli) == "--l2 0, --repair and --image_dir: ask `extract`, see `a.b()` and `no option`."


def test_what_a_command_takes_as_arguments_has_their_names() -> None:
    look, evaluate, similar = (cli.commands[name] for name in ("look", "evaluate", "similar"))
    assert with_dashes("`image_dir` and `layout`", cli, look) == "DATA and --layout"
    assert with_dashes("`image_dir`, `labels`, `data`, `model`", cli, evaluate) == "DATA, --labels, DATA, MODEL"
    assert with_dashes("`image_dir`, `model`, `photo`", cli, similar) == "DATA, --model, PHOTO"
    assert with_dashes("`image_dir` and `model`", cli, cli.commands["export"]) == "--image_dir and MODEL"


def test_a_program_without_commands_has_its_own_options() -> None:
    program = click.Command("x", params=[click.Option(["--seed"])])
    assert with_dashes("`seed` and `l2`", program) == "--seed and `l2`"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("--image_dir nowhere", "check --image_dir."),
        ("--image_dir photos --views 2", "--views 2 needs to know how views may differ: add --flip_left_right"),
        ("sweep --image_dir photos --architecture fake --epochs 3", "--epochs belongs to mini-batches"),
        ("doctor nowhere --output_dir nowhere/else", "nowhere"),
        ("doctor nowhere", "check DATA."),
        ("look nowhere", "check DATA."),
        ("look nowhere.parquet", "There is no file nowhere.parquet; check DATA."),
        ("evaluate model nowhere", "check DATA."),
        ("extract nowhere --architecture fake", "check DATA."),
        ("features nowhere --architecture fake --output f.parquet", "check DATA."),
    ],
)
def test_no_field_reaches_who_calls_a_command(
    command: str,
    says: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").symlink_to(trained / "model")
    with pytest.raises(SystemExit):
        main(command.split())
    said = capsys.readouterr().err
    assert says in " ".join(said.split()) and "`" not in said
