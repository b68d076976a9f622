"""Calls that make no sense: exit code 2, a sentence that names the option, and nothing is made."""

import os
from pathlib import Path

import pytest
from labelling import label


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("photos --copy_to a --move_to b", "--copy_to and --move_to exclude one another"),
        ("photos --csv out --jsonl ./out", "--csv and --jsonl are the same path"),
        ("photos --csv out --copy_to out", "--csv and --copy_to are the same path"),
        ("photos --csv out --top_k 2", "--top_k is for answers that are printed"),
        ("photos --move_to out --top_k 2", "leave it out with --move_to"),
        ("photos --csv out --plot x.png", "--plot draws the photos that are named"),
        ("photos --watch --heatmap x.png", "leave it out, or --watch"),
        ("photos/a.jpg --watch", "--watch is for folders, which photos/a.jpg is not"),
        ("nowhere --watch", "--watch is for folders"),
        ("- --watch", "--watch is for files and folders, which - is not"),
        ("- --move_to out", "--move_to is for files and folders"),
        ("https://example.com/a.jpg --copy_to out", "--copy_to is for files and folders"),
        ("http://example.com/a.jpg", "is not encrypted"),
        ("https://example.com/a.jpg#x", "write #sha256="),
        ("- -", "can be read once"),
        ("photos --move_to photos", "photos lies in --move_to photos"),
        ("photos/a.jpg --copy_to photos", "photos/a.jpg lies in --copy_to photos"),
        ("photos/deep --move_to photos", "choose another folder"),
        ("--csv photos/a.jpg photos/b.jpg", "has the name of a photo: name the table after --csv"),
        ("--jsonl photos/a.JPEG photos/b.jpg", "has the name of a photo: name the table after --jsonl"),
        ("photos --copy_to photos/a.jpg", "--copy_to photos/a.jpg is not a folder"),
        ("photos --csv=", "--csv"),
        ("photos --csv -", "--csv - is standard output, which cannot be a table: use --json, or name a file."),
        ("photos --jsonl -", "--jsonl - is standard output"),
        ("photos --embed -", "--embed - is standard output, which cannot be a table: name a file."),
        ("photos --watch --top_k 0", "top_k"),
        ("photos --csv out --ray_address head:6379", "--ray_address is for --executor ray"),
        ("photos --watch --executor ray", "--watch is for this machine"),
        ("photos/a.jpg --plot x.png --executor ray", "--plot draws on this machine"),
        ("- --csv out --executor ray", "which - is not"),
        (
            "photos --embed out --csv t.csv",
            "--embed writes what the network sees, here and once: leave it out, or --csv",
        ),
        ("photos --embed out --copy_to t", "leave it out, or --copy_to"),
        ("photos --embed out --watch", "leave it out, or --watch"),
        ("photos --embed out --json", "leave it out, or --json"),
        ("photos --embed out --always_answer", "leave it out, or --always_answer"),
        ("photos --embed out --executor ray", "leave it out, or --executor ray"),
        ("photos --embed out --plot t.png", "leave it out, or --embed"),
        ("photos --embed out --labels t.txt", "--labels names answers, and --embed gives none"),
        ("photos --embed out --top_k 2", "--top_k is for answers that are printed"),
        ("photos --embed t.csv", "--embed t.csv has the name of a .csv file: call it t.parquet"),
        ("photos --csv out.PARQUET", "--csv out.PARQUET has the name of a .parquet file: call it out.csv"),
        ("photos --embed photos/a.jpg", "has the name of a photo: name the table after --embed"),
    ],
)
def test_refused(arguments: str, says: str, model: Path, photos: Path) -> None:
    before = sorted(os.listdir())
    said = label(model, *arguments.split(), code=2)
    assert says in said.err.replace("\n", " ") and said.out == ""
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("option", ["--csv", "--embed", "--move_to"])
def test_nothing_is_written_into_an_export(option: str, model: Path, photos: Path) -> None:
    """The next training into it would be refused."""
    before = sorted(model.rglob("*"))
    said = label(model, "photos", option, str(model / "sub" / "out"), code=2)
    assert f"{option} {model}/sub/out lies in the export {os.path.realpath(model)}: choose" in said.err.replace(
        "\n", " "
    )
    assert sorted(model.rglob("*")) == before


def test_the_help_names_the_server(model: Path) -> None:
    assert "`label_image serve MODEL` answers over HTTP." in label(model, "--help").out
