"""Errors name fields; the command line has options of their names."""

import click
import pytest

from retrain.cli.dashes import with_dashes
from retrain.cli.main import cli, main


def test_fields_are_options_and_other_names_stay() -> None:
    said = "`l2` 0, `repair` and `image_dir`: ask `extract`, see `a.b()` and `no option`."
    assert with_dashes(said, cli) == "--l2 0, --repair and --image_dir: ask `extract`, see `a.b()` and `no option`."


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
    ],
)
def test_no_field_reaches_who_calls_a_command(
    command: str, says: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(str(tmp_path))
    with pytest.raises(SystemExit):
        main(command.split())
    said = capsys.readouterr().err
    assert says in " ".join(said.split()) and "`" not in said
