import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import label_image.cli
import retrain.cli.main
from label_image.user_path import AnyPath, Text, UserPath

# Of names that are no paths: what of them may be one is expanded by hand, or none is.
NO_PATHS = {
    "architecture", "architectures", "weights", "formats", "hidden_units", "final_tensor_name", "l2", "optimizers",
    "learning_rates", "ray_address", "class_weights", "view_counts", "fine_tune_layers", "coat", "name",
    "track",
}  # fmt: skip


def text_parameters() -> Iterator[tuple[str, click.Parameter]]:
    """All options and arguments that take any text."""
    commands = {**retrain.cli.main.cli.commands, "label_image": label_image.cli.cli}
    for name, command in commands.items():
        for parameter in command.params:
            if isinstance(parameter.type, (click.Path, click.types.StringParamType)):
                yield name, parameter


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/gato")

    @click.command()
    @click.option("--path", type=AnyPath)
    @click.option("--text", type=Text)
    def command(path: Path, text: str) -> None:
        click.echo(f"{path!r} {text!r}")

    said = CliRunner().invoke(command, ["--path=~/out", "--text", "~/*.jpg"]).output
    assert said == f"{Path('/home/gato/out')!r} '/home/gato/*.jpg'\n"
    said = CliRunner().invoke(command, ["--path=./~/a~", "--text", "tfds:flowers"]).output
    assert said == f"{Path('~/a~')!r} 'tfds:flowers'\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--image_dir", "x", "--output_dir", "s3://bucket/model"], "this has to be a path of this machine"),
        (["train", "--image_dir", "x", "--bottleneck_dir", "s3:/bucket/store"], "write s3://bucket/folder"),
        (["train", "--image_dir", "gs:/bucket/cats"], "write gs://bucket/folder"),
        (["label_image", "x", "--parquet", "s3://bucket/answers.parquet"], "this has to be a path of this machine"),
        (["doctor", "x", "--output_dir", "S3://bucket/found"], "this has to be a path of this machine"),
    ],
)
def test_an_address_makes_no_folder_of_its_name(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program = label_image.cli.cli if arguments[0] == "label_image" else retrain.cli.main.cli
    done = CliRunner().invoke(program, arguments[arguments[0] == "label_image" :])
    assert (done.exit_code, said in done.output) == (2, True), done.output
    assert list(tmp_path.iterdir()) == []


def test_every_option_that_takes_a_path_expands_it() -> None:
    others = {
        f"{command}: {parameter.name}"
        for command, parameter in text_parameters()
        if not isinstance(parameter.type, UserPath) and parameter.name not in NO_PATHS
    }
    assert others == set()
    paths = {parameter.name for _, parameter in text_parameters() if isinstance(parameter.type, UserPath)}
    assert {"output_dir", "image_dir", "output_graph", "csv", "parquet", "plot", "images", "tfhub_module"} <= paths


@pytest.mark.parametrize("value", ["~/w.h5", "resnet50=~/w.h5"])
def test_weights_expand_it_too(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/gato")
    context = retrain.cli.main.cli.commands["train"].make_context("train", ["--image_dir", "x", "--weights", value])
    weights = context.params["weights"]
    assert (weights["resnet50"] if isinstance(weights, dict) else weights) == os.path.join("/home/gato", "w.h5")


@pytest.mark.parametrize(
    ("variable", "values"),
    [
        ("cats", ["cats"]),
        ("cats:/data/dogs", ["cats", "/data/dogs"]),
        ("s3://bucket/birds", ["s3://bucket/birds"]),
        ("cats:s3://bucket/birds:dogs", ["cats", "s3://bucket/birds", "dogs"]),
        ("s3://bucket:gs://other/a", ["s3://bucket", "gs://other/a"]),
        ("http://localhost:8080:https://cats.org", ["http://localhost:8080", "https://cats.org"]),
        ("hdfs://namenode:8020/pets:8020", ["hdfs://namenode:8020/pets", "8020"]),
        ("tfds:beans", ["tfds:beans"]),
        ("tfds:beans:train[:10%]+test[90%:]:/data/cats", ["tfds:beans:train[:10%]+test[90%:]", "/data/cats"]),
        ("tfds:a/b:3.0.*:train:cats", ["tfds:a/b:3.0.*:train", "cats"]),
        ("tfds:a/b:3.0.0:./cats:dogs", ["tfds:a/b:3.0.0", "./cats", "dogs"]),
        ("tfds:beans:tfds:malaria:s3://bucket/a", ["tfds:beans", "tfds:malaria", "s3://bucket/a"]),
        ("a::b:", ["a", "", "b", ""]),
    ],
)
def test_a_variable_is_cut_at_colons_but_for_those_of_an_address(variable: str, values: list[str]) -> None:
    assert Text.split_envvar_value(variable) == values
