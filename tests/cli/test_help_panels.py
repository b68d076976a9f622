"""`--help` fits one screen; `--help all` has every option, in panels."""

import click
import pytest

from retrain.cli.help_panels import FIRST, PANELS
from retrain.cli.main import cli, main

COMMANDS = sorted(cli.commands)


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main([*arguments])
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def options_of(name: str) -> set[str]:
    return {option.opts[0] for option in cli.commands[name].params if isinstance(option, click.Option)}


def listed(text: str) -> list[str]:
    """The options that have a line of their own."""
    return [line.split()[0].rstrip(",") for line in text.splitlines() if line.startswith("  --")]


def test_help_of_retrain_fits_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--help")
    assert 24 <= len(text.splitlines()) <= 42
    assert max(map(len, text.splitlines())) <= 80
    assert 12 <= len(listed(text)) <= 16
    assert "--image_dir" in listed(text) and "--output_dir" in listed(text)
    for panel in ("photos", "backbone", "head", "augmentation", "fine-tuning", "output", "2017 compatibility"):
        assert panel in " ".join(text.split())
    assert "retrain --help all" in text
    for name in COMMANDS:
        assert f"\n  {name} " in text
    assert "..." not in text.partition("Commands:")[2]  # a command's one line is a whole sentence


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_fits_one_screen(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, name, "--help")
    assert len(text.splitlines()) <= 45
    required = {option.opts[0] for option in cli.commands[name].params if option.required and option.opts[0][0] == "-"}
    assert required <= set(listed(text))


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("spelling", [["--help", "all"], ["--help=all"]])
def test_help_all_lists_every_option_once(name: str, spelling: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(said(capsys, name, *spelling))
    assert sorted(found) == sorted({*options_of(name), "--help"})


def test_help_all_of_retrain_has_every_option_of_train_in_its_panel(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--help", "all")
    assert sorted(listed(text)) == sorted({*options_of("train"), "--help"})
    headings = [line for line in text.splitlines() if line and line[0].isalnum() and line.endswith(":")]
    assert headings == [*(f"{panel}:" for panel in PANELS), "Commands:"]


def test_every_option_is_in_one_panel() -> None:
    placed = [name for names in PANELS.values() for name in names]
    assert len(placed) == len(set(placed))
    existing = set().union(*(options_of(name) for name in COMMANDS))
    assert options_of("train") <= set(placed) and set(placed) <= existing
    assert set(FIRST) - {"--help"} <= options_of("train")


@pytest.mark.parametrize("option", ["--test_batch_size", "--top_k", "--final_tensor_name"])
def test_options_that_do_nothing_alone_are_said_to(option: str) -> None:
    (found,) = (parameter for parameter in cli.commands["train"].params if parameter.opts[0] == option)
    assert found.help.startswith(("Does nothing", "With --", "Of --"))


@pytest.mark.parametrize("name", COMMANDS)
def test_helps_are_short_sentences(name: str) -> None:
    for option in cli.commands[name].params:
        if isinstance(option, click.Option):
            assert option.help, option.opts
            assert option.help[0].isupper(), option.help
            assert len(option.help) <= 200, option.help
