"""Data sets of boxes, which say what is where in a photo, and not of which class it is: YOLO, VOC, COCO."""

from dataclasses import dataclass

from retrain.photos.layouts.shape import others_below
from retrain.photos.layouts.tree import Folder


@dataclass(frozen=True)
class Boxes:
    """The form of annotations; `beside_each` photo they leave no doubt, in a folder of their own they may be extras."""

    form: str
    beside_each: bool


def boxes_in(root: Folder) -> Boxes | None:
    """The annotations of boxes that lie beside photos without class folders; None if there are none."""
    folders = _all(root)
    names = {one.name.lower(): one for one in folders}
    if "jpegimages" in names and ".xml" in others_below(root):
        return Boxes("Pascal VOC", True)
    if "labels" in names and ".txt" in others_below(names["labels"]):
        return Boxes("YOLO", True)
    for form, extension in (("YOLO", ".txt"), ("Pascal VOC", ".xml")):
        if any(one.photos >= 2 and one.others.get(extension, 0) >= one.photos for one in folders):
            return Boxes(form, True)
    if any(one.photos and ".json" in one.others for one in folders):  # as Roboflow writes them
        return Boxes("COCO", False)
    annotations = set[str]().union(*(others_below(one) for name, one in names.items() if name.startswith("annot")))
    form = "COCO" if ".json" in annotations else "Pascal VOC" if ".xml" in annotations else ""
    return Boxes(form, False) if form else None


def _all(root: Folder) -> list[Folder]:
    found = [root]
    for one in found:
        found += one.folders
    return found
