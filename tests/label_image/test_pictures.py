"""`label_image --plot` and `--heatmap`: what is drawn, with which letters, and into which files."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from calling import call
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from label_image import lettering
from label_image.cli import main
from label_image.lettering import ELLIPSIS, SYSTEM, drawable, printable, shortened, typeset, wrapped
from label_image.model import Answer
from label_image.picture_files import PictureError, picture_path, save_picture
from label_image.pictures import visible_photo
from label_image.plot import FIRST, INK, MARGIN, OTHER, PANEL, QUIET, captioned, plot
from label_image.preprocessing import Preprocessing

ROOT = Path(__file__).resolve().parents[2]
RED = (220, 30, 30)
# With Latin, Greek and Cyrillic letters, wherever the tests run; the system may have no font at all.
MATPLOTLIBS = lettering.candidates()[-1]
PREPROCESSING = Preprocessing.parse("decode(2)|orient|resize(8,bilinear)|value_range(-1,1)")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An export that tells red from blue; made once, never written to."""
    from retrain.cli.main import main as retrain

    folder = tmp_path_factory.mktemp("trained")
    for name, colour in (("cão", (30, 30, 220)), ("maçã", RED)):
        (folder / "photos" / name).mkdir(parents=True)
        for n in range(6):
            Image.new("RGB", (16, 16), tuple(value + n for value in colour)).save(folder / f"photos/{name}/{n}.png")
    retrain(
        f"--image_dir {folder / 'photos'} --output_dir {folder / 'model'} --architecture fake "
        f"--bottleneck_dir {folder / 'b'} --model_dir {folder / 'm'}".split()
    )
    yield folder / "model"


def photo(path: Path, size: tuple[int, int] = (200, 100)) -> Path:
    """A photo that is red in its left upper corner and gray elsewhere."""
    image = Image.new("RGB", size, (120, 110, 110))
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 3, size[1] // 3), (255, 0, 0))
    image.save(path)
    return path


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    return {colour for _, colour in image.getcolors(1 << 20)}


# The command


def test_both_pictures_of_a_photo(trained: Path, here: Path) -> None:
    arguments = [
        "--model",
        trained / "model.tflite",
        "--plot",
        "p.png",
        "--heatmap",
        "h.png",
        "--always_answer",
        photo(here / "a.png"),
    ]
    code, out, err = call(main, *arguments)
    assert (code, err) == (0, "")
    assert out.splitlines()[-2:] == ["  plot: p.png", "  heatmap: h.png"]
    assert sorted(file.name for file in here.iterdir()) == ["a.png", "h.png", "p.png"]
    assert {FIRST, OTHER} <= colours(Image.open("p.png"))
    drawn = np.asarray(Image.open("h.png")).astype(int)
    height, width = 240, 480
    photo_drawn = np.ptp(drawn, axis=-1)[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    assert photo_drawn[: height // 4, : width // 4].min() > 50
    assert photo_drawn[height // 2 :, width // 2 :].max() < 10


def test_pictures_of_several_photos_are_numbered(trained: Path, here: Path) -> None:
    (here / "broken.jpg").write_bytes(b"no photo")
    photos = [photo(here / "a.png"), here / "broken.jpg", photo(here / "b.png")]
    code, out, _ = call(main, "--model", trained, "--json", "--plot", "new/out.png", *photos)
    assert code == 1  # one photo cannot be read
    assert [json.loads(line).get("plot") for line in out.splitlines()] == ["new/out-1.png", None, "new/out-3.png"]
    assert sorted(file.name for file in (here / "new").iterdir()) == ["out-1.png", "out-3.png"]


def test_videos_are_passed_over_as_without_pictures(trained: Path, here: Path) -> None:
    (here / "phone").mkdir()
    photo(here / "phone/a.png")
    (here / "phone/a.mov").write_bytes(b"a film")
    code, out, err = call(main, "--model", trained, "phone", "--plot", "p.png")
    assert (code, err) == (0, "Passed over: 1 video, such as phone/a.mov.\n")
    assert out.endswith("  plot: p.png\n")


def test_earlier_pictures_of_the_same_call_are_no_photos(trained: Path, here: Path) -> None:
    (here / "in").mkdir()
    photos = [photo(here / "in" / name) for name in ("a.png", "p-3.png")]
    for _ in range(2):
        assert call(main, "--model", trained, "in", "--plot", "in/p.png", "--heatmap", "./in/h.png").code == 0
    assert {file.name for file in (here / "in").iterdir()} == {
        "a.png", "p-3.png", "p-1.png", "p-2.png", "h-1.png", "h-2.png",
    }  # fmt: skip
    for path in photos:
        path.unlink()
    code, _, err = call(main, "--model", trained, "in", "--plot", "in/p.png", "--heatmap", "in/h.png")
    assert (code, err) == (1, "Error: There is no photo in in.\n")


def test_earlier_picture_is_replaced_and_nothing_else(trained: Path, here: Path) -> None:
    mine = photo(here / "mine.png")
    before = mine.read_bytes()
    arguments = ["--model", trained, "--always_answer", photo(here / "a.png"), "--plot"]
    code, out, err = call(main, *arguments, "mine.png")
    assert (code, out) == (2, "")
    assert "mine.png exists and was not drawn by label_image" in err
    assert mine.read_bytes() == before
    assert call(main, *arguments, "p.png")[0] == 0
    first = (here / "p.png").read_bytes()
    assert call(main, *arguments, "p.png", "--top_k", 1)[0] == 0
    assert (here / "p.png").read_bytes() != first


def test_of_numbered_files_each_is_checked_before_work(trained: Path, here: Path) -> None:
    photo(here / "out-2.png")
    photos = [photo(here / "a.png"), photo(here / "b.png")]
    code, out, err = call(main, "--model", trained, "--heatmap", "out.png", *photos)
    assert (code, out) == (2, "")
    assert "out-2.png" in err
    assert not (here / "out-1.png").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--plot", "x.jpg"], "must end in .png"),
        (["--heatmap", "x"], "must end in .png"),
        (["--plot="], "--plot"),
        (["--plot", "x.png", "--heatmap", "./x.png"], "same file"),
        (["--plot", "folder.png"], "folder.png exists"),
        (["--plot", "dangling.png"], "dangling.png exists"),
    ],
)
def test_wrong_call(arguments: list[str], says: str, here: Path) -> None:
    (here / "folder.png").mkdir()
    (here / "dangling.png").symlink_to("nowhere.png")
    code, out, err = call(main, "--model", "not_even_looked_for", photo(here / "a.png"), *arguments)
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())


def test_heat_map_needs_the_tflite_file(trained: Path, here: Path) -> None:
    model = shutil.copytree(trained, here / "model")
    (model / "model.tflite").unlink()
    code, out, err = call(main, "--model", model, "--heatmap", "h.png", photo(here / "a.png"))
    assert (code, out) == (1, "")
    assert "has no model.tflite" in err


def test_place_that_cannot_be_written_is_a_sentence(trained: Path, here: Path) -> None:
    (here / "file").write_text("")
    code, _, err = call(main, "--model", trained, "--plot", "file/p.png", photo(here / "a.png"))
    assert code == 1
    assert "file/p.png cannot be written" in err


def test_drawing_needs_no_tensorflow_and_no_matplotlib(trained: Path, here: Path) -> None:
    code = f"""
import sys
from label_image.cli import main
main(["--model", {str(trained)!r}, "--plot", "p.png", "--heatmap", "h.png", {str(photo(here / "a.png"))!r}])
print(" ".join(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.stderr == ""
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded & {"tensorflow", "keras", "matplotlib", "scipy"} == set()


# Files


@pytest.mark.parametrize(
    ("position", "photos", "name"), [(0, 1, "a.png"), (0, 2, "a-1.png"), (8, 12, "a-09.png"), (11, 12, "a-12.png")]
)
def test_picture_path(position: int, photos: int, name: str) -> None:
    assert picture_path(Path("x/a.png"), position, photos) == Path("x", name)


def test_picture_that_cannot_be_finished_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Image.Image, path: Path, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(PictureError, match="No space left"):
        save_picture(Image.new("RGB", (2, 2)), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


# The photo


@pytest.mark.parametrize(
    ("size", "expected"),
    [((195, 33), (480, 81)), ((300, 600), (300, 600)), ((4000, 3000), (800, 600)), ((1, 2000), (1, 800))],
)
def test_visible_photo_keeps_its_proportions(size: tuple[int, int], expected: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, RED).save(tmp_path / "a.png")
    assert visible_photo((tmp_path / "a.png").read_bytes(), PREPROCESSING).size == expected


def test_visible_photo_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (600, 500)).save(tmp_path / "a.jpg", exif=exif)
    assert visible_photo((tmp_path / "a.jpg").read_bytes(), PREPROCESSING).size == (500, 600)


# Bars


ANSWERS = [Answer("maçã", 0.75), Answer("cão", 0.25), Answer("pé", 0.0)]


@pytest.mark.parametrize(("size", "beside"), [((400, 400), True), ((300, 500), True), ((700, 200), False)])
def test_bars_are_as_long_as_probable(size: tuple[int, int], beside: bool) -> None:
    drawn = plot(Image.new("RGB", size, RED), ANSWERS)
    pixels = np.asarray(drawn)
    width = PANEL if beside else size[0]
    assert drawn.width == size[0] + 2 * MARGIN + (MARGIN + PANEL if beside else 0)
    lengths = {colour: int((pixels == colour).all(axis=-1).sum(axis=1).max()) for colour in (FIRST, OTHER)}
    assert lengths == {FIRST: round(0.75 * width), OTHER: round(0.25 * width)}
    assert (pixels == RED).all(axis=-1).sum() == size[0] * size[1]


def test_the_first_answer_stands_out_and_the_name_of_the_file_is_below() -> None:
    photo = Image.new("RGB", (400, 400), RED)
    drawn = np.asarray(plot(photo, [Answer("one", 0.5), Answer("two", 0.5)]))
    thick = {colour: int((drawn == colour).all(axis=-1).any(axis=1).sum()) for colour in (FIRST, OTHER)}
    assert thick[FIRST] == 2 * thick[OTHER]
    ink = {colour: int((drawn == colour).all(axis=-1).any(axis=1).sum()) for colour in (INK, QUIET)}
    assert ink[INK] > 1.3 * ink[QUIET] > 0  # larger letters, too

    def below(name: str) -> np.ndarray:
        return np.asarray(plot(photo, ANSWERS, name=name))[400 + MARGIN :]

    assert below("a.jpg").shape[0] > below("").shape[0] == MARGIN
    assert (below("a.jpg") != 255).any() and not np.array_equal(below("a.jpg"), below("b.jpg"))
    assert below("name" * 300).shape == below("a.jpg").shape


def test_the_name_in_a_picture_is_that_of_the_photo(trained: Path, here: Path) -> None:
    for name in ("a.png", "b.png"):
        assert call(main, "--model", trained, "--plot", f"{name}.plot.png", photo(here / name))[0] == 0
    one, other = (np.asarray(Image.open(f"{name}.plot.png")) for name in ("a.png", "b.png"))
    different = np.flatnonzero((one != other).any(axis=(1, 2)))
    assert len(different) and different.min() > len(one) - 2 * MARGIN - 28


def test_title_takes_the_place_of_the_first_answer() -> None:
    photo, title = Image.new("RGB", (100, 100)), "unknown: nothing like the training photos; nearest maçã"
    titled = plot(photo, ANSWERS, title)
    assert {FIRST, OTHER} & colours(titled) == set(), "no probability stands beside it, as a bar or a number"
    assert titled.tobytes() == plot(photo, [Answer("cão", 1.0)], title).tobytes()


@pytest.mark.parametrize("candidates", [(), (MATPLOTLIBS,)])
@settings(max_examples=30, deadline=None)
@given(
    label=st.text(max_size=300),
    probability=st.floats(0, 1),
    width=st.integers(1, 900),
    height=st.integers(1, 900),
    title=st.none() | st.text(),
)
def test_any_label_can_be_drawn(
    candidates: tuple[str, ...], label: str, probability: float, width: int, height: int, title: str | None
) -> None:
    photo = Image.new("RGB", (width, height), RED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lettering, "candidates", lambda: candidates)
        assert plot(photo, [Answer(label, probability)], title).width >= width
        assert captioned(photo, label).height > height


# Letters


@pytest.fixture
def fonts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets which fonts there are, beside Pillow's own."""
    return lambda *candidates: monkeypatch.setattr(lettering, "candidates", lambda: candidates)


@pytest.mark.parametrize(
    "text", ["ação, pé, avô, lingüiça, à, ÇÃÕÉÍÓÚÂÊÔ", "Größe, naïve, señor, żółć", "Ακρόπολη", "Кошка", "—…%−€"]
)
def test_letters_that_a_font_has(text: str, fonts: Callable[..., None]) -> None:
    fonts("no such font.ttf", MATPLOTLIBS)
    drawn, font = typeset(text, 20)
    assert (drawn, font.path) == (text, MATPLOTLIBS)
    letters = set(text) - {" "}
    assert len({bytes(font.getmask(letter)) for letter in letters}) == len(letters)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("São João, ação, pé, avô, lingüiça, à", "Sao Joao, acao, pe, avo, linguica, a"),
        ("ÇÃÕÉÍÓÚÂÊÔ", "CAOEIOUAEO"),
        ("mac\u0327a\u0303 q\u0303", "maca q"),
        ("n.º Ⅷ", "n.o VIII"),
        ("Größe", "Gro?e"),
        ("Кот 猫", "??? ?"),
        ("\U0001f469\u200d\U0001f373", "??"),
        ("p\udce9", "p?"),  # a folder's name that is not UTF-8
        ("", ""),
    ],
)
def test_without_any_font_names_lose_their_accents(text: str, drawn: str, fonts: Callable[..., None]) -> None:
    fonts()
    assert typeset(text, 20) == (drawn, lettering.font_for("a", 20))


def test_first_font_that_has_all_letters_is_taken_or_the_one_that_lacks_fewest(fonts: Callable[..., None]) -> None:
    few = str(Path(MATPLOTLIBS).with_name("cmtt10.ttf"))  # ASCII
    fonts(few, MATPLOTLIBS)
    for text, drawn, font in (("gato", "gato", few), ("cão", "cão", MATPLOTLIBS), ("cão 犬", "cão ?", MATPLOTLIBS)):
        assert (drawn, font) == (typeset(text, 20)[0], typeset(text, 20)[1].path)


def test_matplotlibs_font_comes_after_those_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lettering.candidates() == (*SYSTEM, MATPLOTLIBS)
    assert Path(MATPLOTLIBS).is_file()
    monkeypatch.setattr(lettering, "find_spec", lambda name: None)
    assert lettering.candidates.__wrapped__() == SYSTEM


def test_what_is_drawn_without_any_font_is_the_name_without_accents(fonts: Callable[..., None]) -> None:
    def drawn(label: str) -> bytes:
        photo = Image.new("RGB", (100, 100))
        return plot(photo, [Answer(label, 0.5)], label).tobytes() + captioned(photo, label).tobytes()

    fonts()
    assert drawn("maçã") == drawn("maca")
    fonts(MATPLOTLIBS)
    assert drawn("maçã") != drawn("maca")


both_fonts = pytest.mark.parametrize(
    "font", [ImageFont.load_default(20), ImageFont.truetype(MATPLOTLIBS, 20)], ids=["pillow", "matplotlib"]
)


def test_printable_is_one_line_of_joined_letters() -> None:
    assert printable(" mac\u0327a\u0303\n do  Norte\t") == "maçã do Norte"


@both_fonts
@settings(deadline=None)
@given(text=st.text(st.sampled_from("aWi ção"), min_size=1, max_size=60), width=st.integers(30, 400))
def test_shortened_text_fits_and_begins_alike(font: ImageFont.FreeTypeFont, text: str, width: int) -> None:
    text = drawable(text, font)
    short = shortened(text, font, width)
    assert font.getlength(short) <= width
    assert short == text or text.startswith(short.removesuffix(ELLIPSIS))
    assert (short == text) == (font.getlength(text) <= width)


@both_fonts
@settings(deadline=None)
@given(
    words=st.lists(st.text(st.sampled_from("aWi"), min_size=1, max_size=8), max_size=20), width=st.integers(200, 400)
)
def test_wrapped_text_fits_and_is_whole(font: ImageFont.FreeTypeFont, words: list[str], width: int) -> None:
    text = " ".join(words)
    lines = wrapped(text, font, width)
    assert " ".join(lines) == text
    assert all(font.getlength(line) <= width for line in lines)
