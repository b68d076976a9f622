"""The documentation is true: its links lead somewhere, and every option of the commands is in it."""

import re
from pathlib import Path

import pytest

from label_image.cli import cli as label_image
from retrain.cli.main import train

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "tf_files/README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_flag_of_the_2017_script_is_mapped() -> None:
    table = (ROOT / "docs/flags.md").read_text(encoding="utf-8")
    flags = [
        "image_dir",
        "output_graph",
        "intermediate_output_graphs_dir",
        "intermediate_store_frequency",
        "output_labels",
        "summaries_dir",
        "how_many_training_steps",
        "learning_rate",
        "testing_percentage",
        "validation_percentage",
        "eval_step_interval",
        "train_batch_size",
        "test_batch_size",
        "validation_batch_size",
        "print_misclassified_test_images",
        "bottleneck_dir",
        "final_tensor_name",
        "flip_left_right",
        "random_crop",
        "random_scale",
        "random_brightness",
        "tfhub_module",
        "saved_model_dir",
        "logging_verbosity",
        "checkpoint_path",
        "model_dir",
        "architecture",
    ]
    assert [flag for flag in flags if f"`--{flag}" not in table] == []


def test_flags_that_the_table_calls_the_same_exist() -> None:
    options = {option for parameter in train.params for option in parameter.opts}
    for line in (ROOT / "docs/flags.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[2] == "the same":
            assert set(re.findall(r"`(--\w+)`", cells[1])) <= options


@pytest.mark.parametrize("command", [train, label_image], ids=["retrain", "label_image"])
def test_every_option_says_what_it_is(command: object) -> None:
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    assert [option.name for option in options if not option.help] == []


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M).group(1).split())
    assert phony == set(re.findall(r"^([a-z-]+):.*##", makefile, re.M))
