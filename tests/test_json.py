"""docs/json.md and the schemas that it is made of are true: of each command, of the server and of exports.

What other tests print with `--json` is held to them, too, see `calling.call`.
"""

import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import pytest
from calling import call
from painting import paint_classes
from schemas import check, closed, faults, names, parsed, schema
from serving import client_of, photo

import label_image.cli
import label_image.json_outputs
from label_image.manifest import FORMAT_VERSION
from retrain.cli.main import cli, main
from retrain.insight.doctor.findings import KINDS
from retrain.photos.augmentation import Augmentation
from retrain.training.recipe import HeadConfig
from scripts import json_page

NOT_PRINTED = {"label", "model", "metrics"}
# A call of each command, on what the folder of `trained` has; `photos` are its photos, `model` its export.
CALLS = {
    "retrain": "--image_dir photos --architecture fake --output_dir new --formats tflite",
    "evaluate": "evaluate model photos --all_photos",
    "sweep": "sweep --image_dir photos --architecture fake --l2 1,0.1",
    "doctor": "doctor photos --architecture fake",
    "look": "look photos",
    "extract": "extract photos --architecture fake",
    "features": "features photos --architecture fake --output table.parquet",
    "similar": "similar photos/red/1.png photos --architecture fake",
    "export": "export model --to tflite_float16 --image_dir photos",
    "push": "push model pushed",
    "store_info": "store info --bottleneck_dir kept",
}


@pytest.fixture
def here(three_colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the photos and the export of three colours."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").symlink_to(three_colours / "photos")
    (tmp_path / "kept").symlink_to(three_colours / "b")
    shutil.copytree(three_colours / "model", tmp_path / "model")
    return tmp_path


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name}_")
        else:
            yield before + name, command


def test_each_command_with_json_has_a_schema_and_a_call() -> None:
    printing = {name for name, command in commands(cli) if any("--json" in each.opts for each in command.params)}
    assert printing - {"train"} | {"retrain"} == set(CALLS)
    assert set(names()) == {*CALLS, "label_image", *NOT_PRINTED} == set(json_page.ORDER)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.usefixtures("here")
def test_what_a_command_prints_is_as_its_schema_says(name: str) -> None:
    said = call(main, *CALLS[name].split(), "--json")
    assert said.code == 0, said.err
    value = check(name, said.out)
    assert next(iter(value.items())) == ("format_version", label_image.json_outputs.VERSION)
    value["more"] = 1
    assert len(faults(name, value)) == 1 and "more" in faults(name, value)[0]
    assert jsonschema_rs.Draft202012Validator(schema("look")).is_valid({**LOOK, "more": 1}), "others let new keys pass"


LOOK: dict[str, Any] = {"format_version": 1, "read_as": "", "remarks": [], "photos": 0, "classes": {}, "left_out": {},
                        "unlikely": {}}  # fmt: skip


def test_what_label_image_and_the_server_answer(here: Path) -> None:
    (here / "broken.png").write_bytes(b"no photo")
    said = call(label_image.cli.main, "--model=model", "--json", "photos/red/1.png", "broken.png", "--plot=plot.png")
    answered, failed = (check("label_image", line) for line in said.out.splitlines())
    assert "plot" in answered and "error" in failed and "label" not in failed
    said = call(label_image.cli.main, "--model=model", "--json", "--copy_to=out", "--jsonl=a.jsonl", "photos/red/1.png")
    assert "copied_to" in check("label_image", said.out) and Path("a.jsonl").read_text() == said.out
    with client_of(here / "model") as client:
        check("label", client.post("/label?camera=door", content=photo((220, 30, 30))).text)
        assert "seconds_ago" in check("label", client.get("/label?camera=door").text)


@pytest.mark.usefixtures("here")
def test_the_files_of_an_export() -> None:
    content = check("model", Path("model/model.json").read_text(encoding="utf-8"))
    check("metrics", Path("model/metrics.json").read_text(encoding="utf-8"))
    content["provenance"]["new"] = content["provenance"]["options"]["new"] = 1
    assert len(faults("model", content)) == 2


def test_an_export_of_a_run_with_all_kinds_of_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paint_classes(tmp_path / "photos", {"red": "red", "green": "green"}, range(12))
    options = ("--hidden_units=4 --epochs=2 --learning_rate=0.1 --l2=0.1 --label_smoothing=0.1 --dropout=0.2 "
               "--class_weight=balanced --flip_left_right --tta --formats=tflite --architecture=fake "
               "--max_images_per_class=11")  # fmt: skip
    said = call(main, "--image_dir=photos", "--json", *options.split())
    assert said.code == 0, said.err
    content = check("model", Path("tf_files/model/model.json").read_text(encoding="utf-8"))
    assert {"hidden_units", "steps", "class_weight", "label_smoothing"} <= content["head"].keys()
    assert {"views", "tta", "max_images_per_class", "dropout"} <= content["provenance"]["options"].keys()


def test_options_in_the_manifest_are_named_in_its_schema() -> None:
    named = schema("model")["properties"]["provenance"]["properties"]["options"]["propertyNames"]["enum"]
    assert {field.name for config in (HeadConfig, Augmentation) for field in fields(config)} <= set(named)
    options = {each.name for each in cli.commands["train"].params}
    assert set(named) <= options, "each is an option"


@pytest.mark.parametrize("name", [*names(), "parts"])
def test_schemas_are_schemas_and_describe_every_key(name: str) -> None:
    jsonschema_rs.meta.validate(schema(name))

    def check_described(value: Any) -> None:
        for key, body in value.get("properties", {}).items() if isinstance(value, dict) else ():
            assert isinstance(body.get("description"), str) and body["description"].endswith("."), (name, key)
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            check_described(inner)

    check_described(schema(name))


def test_versions_and_names_are_those_of_the_code() -> None:
    for name in set(names()) - {"model"}:
        assert schema(name)["properties"]["format_version"]["const"] == label_image.json_outputs.VERSION
    assert schema("model")["properties"]["format_version"]["const"] == FORMAT_VERSION
    findings = schema("doctor")["properties"]["findings"]["items"]["properties"]
    assert findings["kind"]["enum"] == list(KINDS)


def test_the_page_is_made_of_the_schemas() -> None:
    assert json_page.PAGE.read_text(encoding="utf-8") == json_page.page(), "run `python -m scripts.json_page`"


def test_a_closed_schema_refuses_what_json_has_not() -> None:
    with pytest.raises(AssertionError, match="NaN is not JSON"):
        parsed('{"accuracy": NaN}')
    inner = closed({"type": "object", "properties": {"a": {"type": "object", "properties": {}}}})
    assert inner["additionalProperties"] is False and inner["properties"]["a"]["additionalProperties"] is False
