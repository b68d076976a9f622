"""Tables as people and programs write them: which column is what, and where the photos lie."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from listings import found, make, reasons

from retrain.core.errors import DatasetError
from retrain.photos.opening import list_photos

PHOTOS = {f"img/{colour}_{number}.jpg": colour for number in range(4) for colour in ("red", "green")}
CLASSES = sorted((colour, path) for path, colour in PHOTOS.items())


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make(tmp_path, *PHOTOS)


def write(folder: Path, text: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(form: str, header: str = "") -> str:
    """A line for each photo: `form` with {path}, {stem}, {label} and {number}."""
    lines = [
        form.format(path=path, stem=path[:-4], name=path[4:], label=label, number=number)
        for number, (path, label) in enumerate(PHOTOS.items())
    ]
    return "\n".join([header, *lines] if header else lines) + "\n"


WAYS = {
    "a header of other names": (rows("{path},{label}", "filename,class"), "filename", "class"),
    "capitals": (rows("{path},{label}", "Image Path,BREED"), "Image Path", "BREED"),
    "no extensions": (rows("{stem},{label}", "id,breed"), "id (with .jpg added)", "breed"),
    "reversed": (rows("{label},{path}", "label,path"), "path", "label"),
    "reversed, no header": (rows("{label},{path}"), "2", "1"),
    "backslashes": (rows("{path},{label}", "path,label").replace("/", "\\"), "path (backslashes as slashes)", "label"),
    "blanks": (rows("{path}, {label}", "path, label"), "path", "label"),
    "blanks and quotation marks": (rows('{path}, "{label}"', "path,label"), "path", "label"),
    "pandas' index": (rows("{number},{path},{label}", ",path,label"), "path", "label"),
    "an index without a header": (rows("{number},{path},{label}"), "2", "3"),
    "a folder beside": (rows("{name},{label}", "file,species"), "file (in img/)", "species"),
    "the only other column": (rows("{path},{label}", "image,colour"), "image", "colour"),
    "unknown words": (rows("{label},{path}", "Farbe,Foto"), "Foto", "Farbe"),
    "an id that is none": (rows("{number},{path},{label}", "id,image,label"), "image", "label"),
    "numbers and names": (
        rows("{path},#{label},{label}", "file,class_id,class").replace("#red", "0").replace("#green", "1"),
        "file",
        "class",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_table_is_read_and_says_how(way: str, photos: Path) -> None:
    text, path, label = WAYS[way]
    listing = list_photos(write(photos, text))
    assert found(listing, photos) == CLASSES
    (remark,) = listing.remarks
    path, _, how = path.partition(" (")
    how = f" ({how}" if how else ""
    assert remark.startswith(f"Read as: column {path} for the photos{how}, column {label} for the classes")
    assert listing.skipped == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("header", ["", "path,label"])
def test_the_usual_table_in_every_encoding_needs_no_remark(encoding: str, header: str, photos: Path) -> None:
    listing = list_photos(write(photos, rows("{path},{label}", header).encode(encoding)))
    assert (found(listing, photos), listing.remarks, listing.skipped) == (CLASSES, (), ())


@pytest.mark.parametrize("header", ["path,label,patient_id", "image,label,patient_id", "path,label,split,patient_id"])
def test_a_column_that_is_not_read_is_named_whatever_the_others_are_called(header: str, photos: Path) -> None:
    side = ",train" if "split" in header else ""
    table = write(photos, rows("{path},{label}" + side + ",p{number}", header))
    (remark,) = list_photos(table).remarks
    assert remark.endswith("; not read: patient_id.")


def test_a_split_and_an_index_beside_path_and_label_need_no_remark(photos: Path) -> None:
    for header, cell in (("path,label,split", "train"), ("path,label,index", "{number}"), ("path,label,", "")):
        listing = list_photos(write(photos, rows("{path},{label}," + cell, header)))
        assert (found(listing, photos), listing.remarks) == (CLASSES, ())


def test_utf_16_with_a_mark_of_either_order(photos: Path) -> None:
    for encoding, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        listing = list_photos(write(photos, mark + rows("{path}\t{label}").encode(encoding), "table.tsv"))
        assert found(listing, photos) == CLASSES


def test_the_dog_breeds_of_kaggle(tmp_path: Path) -> None:
    names = {"000bec180eb18c76": "boston_bull", "001513dfcb2ffafc": "dingo", "001cdf01b096e06d": "dingo"}
    make(tmp_path, *(f"train/{name}.jpg" for name in names), "test/0042.jpg", "sample_submission.csv")
    text = "id,breed\n" + "".join(f"{name},{breed}\n" for name, breed in names.items())
    listing = list_photos(write(tmp_path, text, "labels.csv"))
    assert found(listing, tmp_path) == sorted((breed, f"train/{name}.jpg") for name, breed in names.items())
    assert listing.remarks == (
        "Read as: column id for the photos (in train/, with .jpg added), column breed for the classes.",
    )


def test_a_name_of_two_files_is_not_guessed(tmp_path: Path) -> None:
    make(tmp_path, "img/1.jpg", "img/2.jpg", "img/3.png", "img/1.png")
    table = write(tmp_path, "id,label\n1,x\n2,y\n3,x\n")
    with pytest.raises(DatasetError, match=r"1 may be 1\.jpg or 1\.png, which both lie in img/: write the extension"):
        list_photos(table)
    assert len(list_photos(write(tmp_path, "id,label\n1.jpg,x\n2.jpg,y\n3.png,x\n")).files) == 3


def test_a_header_in_words_that_nobody_knows_over_three_columns(photos: Path) -> None:
    lines = [f"{path};{label};{'train' if '_0' in path else 'test'}\n" for path, label in PHOTOS.items()]
    listing = list_photos(write(photos, "arquivo;classe;conjunto\n" + "".join(lines)))
    assert found(listing, photos) == CLASSES
    assert all((file.split == "training") == ("_0" in file.path) for file in listing.files)
    assert "column arquivo for the photos, column classe for the classes, column conjunto" in listing.remarks[0]


def test_a_cell_that_holds_a_photo_is_not_said_whole(photos: Path) -> None:
    text = "".join(f'{{"image": "{"x" * 20000}{number}", "label": "cat"}}\n' for number in range(3))
    with pytest.raises(DatasetError, match=r"…") as refused:
        list_photos(write(photos, text, "t.jsonl"))
    assert len(str(refused.value)) < 1000


def test_photos_deeper_and_above_and_not_beside_the_folder(tmp_path: Path) -> None:
    make(tmp_path, "set/images/images/1.jpg", "set/images/images/2.png", "other/a.JPG", "other/b.JPG")
    (tmp_path / "set/lists").mkdir()
    deeper = list_photos(write(tmp_path / "set", "id,label\n1,x\n2,y\n"))
    assert found(deeper, tmp_path) == [("x", "set/images/images/1.jpg"), ("y", "set/images/images/2.png")]
    assert "(in images/images/, with .jpg or .png added)" in deeper.remarks[0]
    above = list_photos(write(tmp_path / "set/lists", "path,label\nimages/images/1.jpg,x\nimages/images/2.png,y\n"))
    assert len(above.files) == 2 and "(in ../)" in above.remarks[0]
    with pytest.raises(DatasetError, match="no photo in column path can be used"):  # that is another project's
        list_photos(write(tmp_path / "set", "path,label\na,x\nb,y\n", "other.csv"))


@pytest.mark.parametrize(
    ("table", "folder"), [("train.csv", "train"), ("test_labels.csv", "test"), ("labels.csv", None)]
)
def test_two_folders_with_the_same_names_are_told_apart_by_the_tables_name_or_not_at_all(
    table: str, folder: str | None, tmp_path: Path
) -> None:
    make(tmp_path, *(f"{side}/{number}.jpg" for side in ("train", "test") for number in range(4)))
    path = write(tmp_path, "id,label\n0,a\n1,b\n2,a\n3,b\n", table)
    if folder is None:
        with pytest.raises(
            DatasetError, match=r"labels\.csv: there are photos of these names in each of .*test/, train/"
        ):
            list_photos(path)
    else:
        assert [place for _, place in found(list_photos(path), tmp_path)] == [f"{folder}/{n}.jpg" for n in (0, 2, 1, 3)]


def test_photos_of_another_set_with_the_same_numbers_are_not_taken(tmp_path: Path) -> None:
    make(tmp_path, *(f"test/{number}.jpg" for number in range(8)))
    text = "id,label\n" + "".join(f"{number},{'ab'[number % 2]}\n" for number in range(4))
    with pytest.raises(DatasetError, match=r"train\.csv: photos of these names are only in test/, .* another side"):
        list_photos(write(tmp_path, text, "train.csv"))
    assert len(list_photos(write(tmp_path, text, "labels.csv")).files) == 4
    many = text + "".join(f"{number},a\n" for number in range(100, 120))
    with pytest.raises(DatasetError, match=r"some photos of these names, not all of them, in the folder test/"):
        list_photos(write(tmp_path, many, "labels.csv"))
    make(tmp_path, *(f"data/train/{number}.jpg" for number in [*range(4), *range(100, 120)]))
    assert all("train" in file.path for file in list_photos(write(tmp_path, many, "labels.csv")).files)


@pytest.mark.parametrize("name", ["split", "Set", "subset", "fold", "data set", "usage", "anything"])
def test_a_column_of_sides_is_the_split(name: str, photos: Path) -> None:
    sides = ("train", "val", "test", "Train")
    lines = [f"{label},{side},{path}" for side, (path, label) in zip(sides * 2, PHOTOS.items(), strict=True)]
    listing = list_photos(write(photos, "\n".join([f"class,{name},file", *lines])))
    by_path = {Path(file.path).relative_to(photos).as_posix(): file.split for file in listing.files}
    of = {"train": "training", "val": "validation", "test": "testing", "Train": "training"}
    assert by_path == {path: of[side] for side, path in zip(sides * 2, PHOTOS, strict=True)}
    assert f"column {name} for the sides" in listing.remarks[0]


def test_numbers_of_folds_are_no_sides_and_other_columns_are_named(photos: Path) -> None:
    listing = list_photos(write(photos, rows("{path},{label},{number},64", "path,label,fold,width")))
    assert found(listing, photos) == CLASSES and {file.split for file in listing.files} == {None}
    assert listing.remarks[0].endswith("; not read: fold, width.")


def test_a_side_that_is_none_is_named_by_its_line(photos: Path) -> None:
    for header in ("path,label,split", "label,path,split", "path,label"):
        text = f"{header}\n" + rows("{path},{label},train" if header[0] == "p" else "{label},{path},train") + "x,y,z\n"
        with pytest.raises(DatasetError, match=r"table\.csv, line 10: the split 'z' is not train, validation or test"):
            list_photos(write(photos, text))


def test_lines_of_json(photos: Path) -> None:
    objects = [{"width": 64, "class": label, "image": path, "box": [1, 2]} for path, label in PHOTOS.items()]
    text = "\n".join(map(json.dumps, objects))
    for name in ("t.jsonl", "t.NDJSON"):
        listing = list_photos(write(photos, text, name))
        assert found(listing, photos) == CLASSES
        assert "column image for the photos, column class for the classes" in listing.remarks[0]


def test_lines_of_json_that_cannot_be_used(photos: Path) -> None:
    first = '{"path": "img/red_0.jpg", "label": "red"}\n'
    for line, message in {
        '{"path": "img/green_0.jpg", "label": ["green"]}': r"line 2: \['green'\] names several classes",
        '{"path": "img/green_0.jpg", "label": 0.5}': r"line 2: column label holds 0\.5",
        '{"path": "img/green_0.jpg", "label": true}': r"line 2: column label holds True",
        '{"path": ["img/green_0.jpg"], "label": "x"}': r"line 2: column path holds \[",
        "[1]": "line 2: expected an object such as",
        '{"path"': "line 2: expected an object such as",
    }.items():
        with pytest.raises(DatasetError, match=message):
            list_photos(write(photos, first + line, "t.jsonl"))
    with pytest.raises(DatasetError, match="more than 1000 columns"):
        list_photos(write(photos, json.dumps({str(number): 1 for number in range(1001)}), "t.jsonl"))


def test_parquet_with_paths(photos: Path) -> None:
    table = pa.table({
        "breed": pa.array(PHOTOS.values()).dictionary_encode(),
        "id": [path.removesuffix(".jpg") for path in PHOTOS],
        "split": ["train"] * 4 + ["test"] * 4,
        "embedding": [[0.5, 0.25]] * 8,
    })  # fmt: skip
    pq.write_table(table, photos / "t.parquet")
    listing = list_photos(photos / "t.parquet")
    assert found(listing, photos) == CLASSES
    assert {file.split for file in listing.files} == {"training", "testing"}
    pq.write_table(pa.table({"path": list(PHOTOS), "labels": [["a", "b"]] * 8}), photos / "t.parquet")
    with pytest.raises(DatasetError, match=r"t\.parquet, row 1: \['a', 'b'\] names several classes"):
        list_photos(photos / "t.parquet")


@pytest.mark.parametrize("label", ["red|x", "red;x", "['red', 'x']", "[0, 1]"])
def test_several_classes_in_one_cell_are_no_class(label: str, photos: Path) -> None:
    text = "path,labels\n" + "".join(
        f'{path},"{label if "3" in path else colour}"\n' for path, colour in PHOTOS.items()
    )
    with pytest.raises(DatasetError, match=r"table\.csv, line 8: .* names several classes \(multi-label\)"):
        list_photos(write(photos, text))


def test_what_does_not_exist_is_named_with_its_line(photos: Path) -> None:
    path = write(photos, "id,breed\nno/such,red\nnone,green\n")
    with pytest.raises(DatasetError) as refused:
        list_photos(path)
    message = str(refused.value)
    assert "holds no class" not in message
    assert f"The first is {photos}/no/such, which does not exist (table.csv, line 2)" in message
    some = list_photos(write(photos, rows("{stem},{label}", "id,breed") + "img/none,red\n"))
    assert found(some, photos) == CLASSES
    assert reasons(some, photos) == {"img/none.jpg": "does not exist (table.csv, line 10)"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows("{path},{label},{number}", "path,species,breed"), "line 4: column species and column breed may both be"),
        (rows("{path},{label},x{number}", "path,a,b"), "does not say which column holds the classes.*: path, a, b"),
        (rows("{label},x{number}", "colour,shape"), r"no photo in column 1 can be used.*looked for it also"),
        (rows("{label},x{number},9", "colour,shape,size"), "no column with photos or their paths.*: its columns are"),
        (rows("{path},0,1", "image,cat,dog"), "does not say which column holds the classes"),
        (rows("{path},{label},{number},img/red_{number}.jpg"), "does not say which column|names files in"),
        (rows("{path},{label}, and more", "file,class"), "line 2 has 3 cells, and the table 2 columns"),
        ("file,class\n", "has a header and no rows"),
        ("x,class\n,red\n", "line|no column"),
        (rows("{path},{label}", "file,class") + "img/red_0.jpg,green\n", "red_0.jpg twice, as 'red' and as 'green'"),
        (rows("{path},{label}", "file,class").replace("/", "\\") + "img/red_0.jpg,green\n", "twice, as 'red'"),
        (rows("{path},{label}", "file,class") + ",green\n", "line 10: column file names no photo"),
    ],
)
def test_a_table_that_is_not_understood_is_a_sentence(text: str, message: str, photos: Path) -> None:
    with pytest.raises(DatasetError, match=message) as refused:
        list_photos(write(photos, text))
    assert "\n" not in str(refused.value) and str(refused.value).endswith(".")


def test_a_row_without_a_class_is_skipped(photos: Path) -> None:
    listing = list_photos(
        write(photos, rows("{path},{label}", "file,class").replace("img/red_3.jpg,red", "img/red_3.jpg,"))
    )
    assert reasons(listing, photos) == {"img/red_3.jpg": "has no class (table.csv, line 8)"}


def test_an_unknown_folder_named_as_a_class_or_a_file_changes_nothing(photos: Path) -> None:
    make(photos, "red.jpg", "other/red.jpg")
    (photos / "green").mkdir()
    assert found(list_photos(write(photos, rows("{label},{path}", "label,path"))), photos) == CLASSES
    assert found(list_photos(write(photos, rows("{path},{label}"))), photos) == CLASSES


# The page

EXAMPLE = re.compile(
    r"^(?:.*\. )?With ((?:`[^`]+`(?:, )?)+) beside it:\n\n```(\w+)\n(.*?)^```\n\n`(.*?)`$", re.M | re.S
)


def test_the_examples_of_the_page_are_read_as_it_says(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[3] / "docs/photos.md"
    section = page.read_text(encoding="utf-8").partition("## Tables\n")[2].partition("\n## ")[0]
    examples = EXAMPLE.findall(section)
    assert len(examples) == section.count("Read as:") == 3
    for number, (names, kind, text, remark) in enumerate(examples):
        photos = re.findall("`(.*?)`", names)
        folder = make(tmp_path / str(number), *photos)
        listing = list_photos(write(folder, text, f"table.{kind}"))
        assert sorted(place for _, place in found(listing, folder)) == photos
        assert listing.remarks == (remark,)
