"""What a shell offers behind the words that are typed: docs/install.md says how it is told to ask."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from label_image.cli import cli as label_image
from retrain.cli.main import cli as retrain

COMMANDS: dict[str, click.Command] = {"retrain": retrain, "label_image": label_image}


def offered(line: str) -> list[str]:
    """What is offered for the last word of a line; files and folders by the name of their kind."""
    program, *words, incomplete = line.split(" ")
    asked = ShellComplete(COMMANDS[program], {}, program, f"_{program.upper()}_COMPLETE")
    items = asked.get_completions(words, incomplete)
    return [item.value if item.type == "plain" else item.type for item in items]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("retrain sw", ["sweep"]),
        ("retrain store in", ["info"]),
        ("retrain --image_", ["--image_dir", "--image_size"]),
        ("retrain --image_dir cats --optimizer l", ["lbfgs"]),
        ("retrain --image_dir cats --optim", ["--optimizer"]),
        ("retrain --image_dir ", ["file"]),
        ("retrain --output_dir ", ["dir"]),
        ("retrain --image_dir cats --architecture inception", ["inception_v3"]),
        ("retrain train --architecture resnet50+efficientnet_lite2", ["resnet50+efficientnet_lite2"]),
        ("retrain sweep --to", []),
        ("retrain export model --to onnx,core", ["onnx,coreml", "onnx,coreml_float16"]),
        ("label_image --m", ["--model", "--move_to"]),
        ("label_image --model ", ["file"]),
        ("label_image serve --po", ["--port"]),
        ("label_image serve model --cert ", ["file"]),
    ],
)
def test_what_can_follow_is_offered(line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_commands_come_before_options_are_typed() -> None:
    assert set(offered("retrain ")) == set(retrain.commands)
    assert {"--image_dir", "--help", "--version"} <= set(offered("retrain --"))
    assert len(offered("retrain --")) == len(set(offered("retrain --")))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_page_that_tells_a_shell_is_right(shell: str) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/install.md").read_text(encoding="utf-8")
    for program in COMMANDS:
        assert f"_{program.upper()}_COMPLETE={shell}_source {program}" in page


def test_bash_completes(tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    script = """
    eval "$(_RETRAIN_COMPLETE=bash_source retrain)"
    complete -p retrain
    COMP_WORDS=(retrain --image_dir cats --precision b)
    COMP_CWORD=4
    _retrain_completion retrain
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(["bash", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["complete -o nosort -F _retrain_completion retrain", "bfloat16"], done.stderr
