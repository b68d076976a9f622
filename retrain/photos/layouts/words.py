"""What names of files and folders say: a side of the split, photos, annotations, or nothing."""

import re
from functools import lru_cache
from typing import Literal

from label_image.folders import NO_PHOTOS, VIDEOS, is_litter
from retrain.photos.dataset import SPLIT_FOLDERS, Split

MOST_NAMES = 20_000  # of folders whose meanings are remembered: each is asked for several times
Kind = Literal["photo", "bare", "strange", "other"]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


PHOTOS = _set(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .dib .tif .tiff .avif .heic .heif .hif .ppm .pgm .pbm .pnm .jp2 .j2k "
    ".jpx .j2c .jpc .tga"
)
OTHERS = NO_PHOTOS | VIDEOS  # what has another extension may be a photo if nothing else is
BARE_TEXTS = _set(
    "readme license licence copying copyright authors notice changelog changes makefile dockerfile version"
)
# Folders that systems and tools leave; hidden ones are passed over everywhere.
LITTER_FOLDERS = frozenset(
    ("__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information", "lost+found", "node_modules")
)
SIDES: dict[str, Split] = {
    **SPLIT_FOLDERS,
    "dev": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "holdout": "testing",
    "trainset": "training",
    "trainingset": "training",
    "valset": "validation",
    "validset": "validation",
    "validationset": "validation",
    "devset": "validation",
    "testset": "testing",
    "testingset": "testing",
}
UNLABELLED = _set(
    "pred preds predict prediction predictions unlabeled unlabelled unsup unsupervised submission inference"
)
IMAGES = _set("image images img imgs photo photos picture pictures pics jpegimages jpegs jpg jpeg png")
AROUND = _set("data dataset datasets")  # of wrappers: they say nothing about what is inside
ANNOTATIONS = _set(
    "annotation annotations annots label labels mask masks segmentation segmentations trimap trimaps bbox bboxes boxes "
    "xml xmls groundtruth segmentationclass segmentationobject imagesets"
)
# Words that stand beside `train` or `predict` in the name of a folder and change nothing.
FILLERS = IMAGES | AROUND | _set("set seg split folder folders files raw all full final part small big")

# What cameras, phones and programs call every photo: no classes, where a number follows.
NO_CLASSES = _set(
    "img imgs image images dsc dscn dscf dcim pxl mvi pic pics picture photo photos frame screenshot scan file sample "
    "thumb crop untitled unnamed download whatsapp signal wp p pict train training test testing val valid validation "
    "dev"
)


def kind_of(name: str) -> Kind:
    """What a file is, by its name: `bare` names have no extension, `strange` ones an unknown one."""
    dot = name.rfind(".")  # `os.path.splitext` takes longer than all the rest
    extension = name[dot:].lower() if dot > 0 else ""
    if extension in PHOTOS:
        return "photo"
    if extension in OTHERS:
        return "other"
    if not extension:
        return "other" if name.lower() in BARE_TEXTS else "bare"
    return "strange"


def is_litter_folder(name: str) -> bool:
    """Whether a folder is hidden, or left by a system or a tool, by its name."""
    return is_litter(name) or name.lower() in LITTER_FOLDERS


@lru_cache(MOST_NAMES)
def side_of(name: str) -> Split | None:
    """The side that a folder's name says: `train`, `TRAIN`, `training_set`, `seg_train`, `train2017`, `test1` …"""
    found = {SIDES.get(word) for word in _telling(name)}
    return found.pop() if len(found) == 1 else None


@lru_cache(MOST_NAMES)
def is_unlabelled(name: str) -> bool:
    """Whether a folder's name says that its photos have no classes: `predict`, `seg_pred`, `unlabeled` …"""
    words = _telling(name)
    return bool(words) and UNLABELLED.issuperset(words)


@lru_cache(MOST_NAMES)
def is_images(name: str) -> bool:
    """Whether a folder is called images, photos …"""
    return bool(_words(name)) and IMAGES.issuperset(_words(name))


def is_wrapper(name: str) -> bool:
    """Whether a folder's name says nothing of what is inside: images, data …"""
    return bool(_words(name)) and FILLERS.issuperset(_words(name))


def is_annotations(name: str) -> bool:
    """Whether a folder is called annotations, masks, labels …"""
    words = _words(name)
    return any(word in ANNOTATIONS for word in words) and (ANNOTATIONS | FILLERS).issuperset(words)


def ends_as_annotations(name: str) -> bool:
    """Whether a folder is called so by its last word, which says enough beside photos: lung masks, bone_labels."""
    return bool(words := _words(name)) and words[-1] in ANNOTATIONS


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", name.lower())


def _telling(name: str) -> list[str]:
    return [word for word in _words(name) if word not in FILLERS]
