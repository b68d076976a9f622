"""What `label_image` draws for a photo: its answers as bars, and where on it the first of them is seen."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image

from label_image.heatmap import Maps, activation_maps, find_tflite, overlay
from label_image.model import Answer, Model
from label_image.picture_files import PictureError, check_replaceable, picture_path, save_picture
from label_image.plot import captioned, plot
from label_image.preprocessing import Pixels, Preprocessing

SMALLEST, LARGEST = 480, 800  # pixels of a photo's longer side in a picture

Draw = Callable[[bytes, Sequence[Answer], str | None, str], Image.Image]  # photo, answers, title, name


class Pictures:
    """The pictures asked for in a call, each by its option: where they go and how they are drawn."""

    def __init__(self, files: Mapping[str, Path], photos: int) -> None:
        """`files` maps "plot" and "heatmap" to a PNG each. Raises PictureError if one must not be written."""
        if len({path.resolve() for path in files.values()}) < len(files):
            raise PictureError("--plot and --heatmap are the same file: choose two different names.")
        self._files = files
        self._photos = photos
        self._draw: dict[str, Draw] = {}
        check_replaceable(picture_path(path, position, photos) for path in files.values() for position in range(photos))

    def load(self, model: Model, path: str | Path) -> None:
        """Take the model, which was loaded from `path`. Raises ModelError if it has no heat map."""
        drawers: dict[str, Callable[[], Draw]] = {
            "plot": lambda: draws_plots(model.preprocessing),
            "heatmap": lambda: draws_heatmaps(model.preprocessing, activation_maps(find_tflite(path))),
        }
        self._draw = {name: drawers[name]() for name in self._files}

    def save(
        self, position: int, photo: bytes, answers: Sequence[Answer], title: str | None = None, name: str = ""
    ) -> dict[str, str]:
        """Draw what was asked for of the photo at a position; returns the files. Raises PictureError or PhotoError.

        `name` is that of its file.
        """
        saved = {}
        for kind, draw in self._draw.items():
            path = picture_path(self._files[kind], position, self._photos)
            save_picture(draw(photo, answers, title, name), path)
            saved[kind] = str(path)
        return saved


def draws_plots(preprocessing: Preprocessing) -> Draw:
    """Draws a photo with a bar for each answer, or with a title in their place."""
    return lambda photo, answers, title, name: plot(visible_photo(photo, preprocessing), answers, title, name)


def draws_heatmaps(preprocessing: Preprocessing, maps: Callable[[Pixels], Maps]) -> Draw:
    """Draws the map of the first answer over a photo, with a line that names it."""

    def draw(photo: bytes, answers: Sequence[Answer], title: str | None, name: str) -> Image.Image:
        found = maps(preprocessing.pixels(photo))
        likeliest = found[found.mean(axis=(1, 2)).argmax()]  # whatever names --labels gives the classes
        text = title or f"{answers[0].label}  {answers[0].probability:.1%}"
        return captioned(overlay(visible_photo(photo, preprocessing), likeliest), text)

    return draw


def visible_photo(photo: bytes, preprocessing: Preprocessing) -> Image.Image:
    """An encoded photo as RGB at its own proportions, its longer side 480 to 800 pixels.

    It is upright where the network sees it upright. Raises PhotoError.
    """

    def fit(image: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
        longer = max(image.size)
        scale = min(max(longer, SMALLEST), LARGEST) / longer
        width, height = (max(1, round(side * scale)) for side in image.size)
        return image.resize((width, height), Image.Resampling.LANCZOS)

    # A JPEG is decoded at a fraction of its size, for a square of that size: large enough for this one.
    return Image.fromarray(preprocessing.with_size(LARGEST).pixels(photo, fit))
