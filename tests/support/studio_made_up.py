"""What the stand-in of the studio's server answers: made up, always the same."""

import base64
import hashlib
import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from PIL import Image, ImageDraw

Labelled = Sequence[tuple[str, str]]

SHADES = ((214, 131, 62), (120, 134, 150), (150, 166, 112), (190, 110, 120), (110, 150, 180), (170, 150, 90))


@lru_cache(maxsize=512)
def picture(place: int, number: int) -> bytes:
    """A drawn cat: its colour is of its class, where it sits of its number."""
    shade = SHADES[place % len(SHADES)]
    turn = (number * 37) % 60 - 30
    image = Image.new("RGB", (200, 160), tuple(225 + (number * 7 + part * 5) % 25 for part in range(3)))
    draw = ImageDraw.Draw(image)
    x, y = 100 + turn, 84 + turn // 3
    for side in (-1, 1):
        draw.polygon([(x + side * 40, y - 58), (x + side * 46, y), (x + side * 6, y - 34)], fill=shade)
    draw.ellipse((x - 48, y - 40, x + 48, y + 44), fill=shade)
    for side in (-1, 1):
        draw.ellipse((x + side * 20 - 7, y - 14, x + side * 20 + 7, y + 2), fill=(30, 34, 40))
    draw.polygon([(x - 6, y + 10), (x + 6, y + 10), (x, y + 18)], fill=(60, 40, 40))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return file.getvalue()


def _share(text: str) -> float:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


def guess_of(path: str, classes: Sequence[str]) -> tuple[str, float, bool]:
    """Label, probability and whether it is unknown, of an unlabelled photo."""
    share = _share(path)
    return classes[int(share * len(classes)) % len(classes)], round(0.5 + share / 2, 4), share < 0.05


def training_of(labelled: Labelled, classes: Sequence[str]) -> dict[str, Any]:
    """A result in which every ninth photo is mistaken for one of the next class."""
    size = len(classes)
    confusion = [[0] * size for _ in classes]
    mistakes = []
    for place, (photo, label) in enumerate(labelled):
        given = classes.index(label)
        said = (given + 1) % size if place % 9 == 4 else given
        confusion[given][said] += 1
        if said != given:
            mistakes.append([photo, label, classes[said], 0.5 + _share(photo) / 2])
    right = len(labelled) - len(mistakes)
    accuracy = right / max(1, len(labelled))
    per_class = [
        {
            "label": label,
            "photos": sum(confusion[row]),
            "recall": confusion[row][row] / max(1, sum(confusion[row])),
            "precision": confusion[row][row] / max(1, sum(each[row] for each in confusion)),
        }
        for row, label in enumerate(classes)
    ]
    count = len(labelled)
    curve = [
        {"photos": int(count * part), "accuracy": at, "low": at - 0.05, "high": at + 0.04}
        for part, at in ((0.25, accuracy - 0.11), (0.5, accuracy - 0.05), (0.75, accuracy - 0.02), (1.0, accuracy))
    ]
    gains = [
        {"label": row["label"], "photos": row["photos"], "gain": gain, "low": 1.5 * gain - 0.0275, "high": 0.041}
        for row, gain in zip(per_class, (0.021 - 0.008 * place for place in range(size)), strict=True)
    ]
    return {
        "photos": count, "classes": list(classes), "accuracy": accuracy,
        "interval": [max(0.0, accuracy - 0.04), min(1.0, accuracy + 0.03)], "seconds": 0.84, "perClass": per_class,
        "confusion": confusion, "mistakes": mistakes, "remarks": [], 
        "more": {"curve": curve, "twice": {"gain": 0.03, "low": 0.01, "high": 0.05}, "classes": gains},
    }  # fmt: skip


def heat() -> str:
    image = Image.radial_gradient("L").resize((96, 96))
    colours = [Image.new("L", image.size, shade) for shade in (230, 90, 20)]
    clear = Image.merge("RGBA", [*colours, image.point(lambda value: max(0, 200 - value))])
    file = io.BytesIO()
    clear.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def answer_of(labelled: Labelled, classes: Sequence[str]) -> dict[str, Any]:
    shares = [0.86, 0.11, 0.03]
    top = [{"label": label, "probability": share} for label, share in zip(classes, shares, strict=False)]
    near = [photo for photo in labelled if photo[1] == classes[0]] + list(labelled)
    nearest = [
        {"id": photo, "label": label, "similarity": 0.91 - 0.03 * place}
        for place, (photo, label) in enumerate(near[:4])
    ]
    return {
        "top": top, "unknown": False, "similarity": 0.81, "threshold": 0.55, "heat": heat(), "nearest": nearest,
    }  # fmt: skip


def examination_of(photos: Sequence[dict[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    """What the doctor finds: a label that may be wrong, and two copies."""

    def card(index: int, sentence: str, suggestion: str, choices: Sequence[str], others: Sequence[int]) -> Any:
        related = [{**photos[other], "relation": "nearest photo"} for other in others if other < len(photos)]
        return {
            **photos[index], "sentence": sentence, "suggestion": suggestion, "choices": list(choices),
            "related": related,
        }  # fmt: skip

    sections = []
    if len(photos) > 3 and len(classes) > 1:
        to = f"relabel:{classes[-1]}"
        sections = [
            {
                "kind": "label", "heading": "Labels that may be wrong", "number": 1,
                "advice": "Models that had not seen these photos are sure of another class.",
                "cards": [card(0, f"Looks like {classes[-1]} (97 %).", to, ["keep", to, "remove"], [len(photos) - 1])],
            },
            {
                "kind": "copy", "heading": "The same photo twice in a class", "number": 1,
                "advice": "Copies teach nothing new.",
                "cards": [card(2, "The same picture as its neighbour.", "remove", ["keep", "remove"], [1])],
            },
        ]  # fmt: skip
    shortcut = {"sentence": "Colours alone name 61 % of the photos right.", "suspicious": True}
    return {"sections": sections, "remarks": ["4 photos are too few to look for outliers."], "shortcut": shortcut}


PROOF = "42 of 42 photos answered as the model does"


def export(name: str, title: str, purpose: str, size: int = 0, refused: str | None = None) -> dict[str, Any]:
    """A format; written if it has a size."""
    written = size > 0
    return {
        "name": name, "title": title, "for": purpose, "written": written, "isCurrent": written, "bytes": size,
        "proof": PROOF if written else "", "refused": refused,
    }  # fmt: skip


EXPORTS = (
    export("web", "Phone page", "a page with the camera, for any browser, also without a network"),
    export("tflite", "TFLite", "phone apps, Raspberry Pi, label_image", 13_400_000),
    export("tflite_int8", "TFLite, int8", "Raspberry Pi and small devices, a quarter of the size"),
    export("coreml", "Core ML", "apps for iPhone and Mac", 0, "Core ML needs coremltools, which this machine lacks."),
    export("saved_model", "SavedModel", "TensorFlow, TensorFlow Serving", 14_200_000),
    export("report", "Report", "a page to read and to print: how good the model is, and where it errs"),
)
QR = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><rect width='8' height='8' fill='#fff'/>"
    "<path d='M1 1h2v2h-2zM5 1h2v2h-2zM1 5h2v2h-2zM4 4h1v1h-1zM6 6h1v1h-1z'/></svg>"
)
