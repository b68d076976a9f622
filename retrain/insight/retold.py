"""What the rooms below and label_image say, which is English, said again in the language of the moment.

They make whole sentences, which also go to the screen, into skipped.csv and model.json. Here they are with their
holes: `{what}` may be another one of them, `{classes}` a list that ends early. A sentence that is not here stays as it
is; tests/insight/test_retold.py reads the sources and notices that.
"""

import re
from dataclasses import dataclass
from functools import cache

from retrain.core.language import ENGLISH, figure, language_now, translatable, translated

# Why a file is left out, as a phrase that continues its name.
REASONS = (
    translatable("is empty (0 bytes)"),
    translatable("is not a regular file"),
    translatable("is a link to nothing"),
    translatable("is not a file, and addresses of {scheme} are not read: name a file, or use https://"),
    translatable("is a video"),
    translatable("is hidden"),
    translatable("is not in a class folder"),
    translatable("is not in one of the split folders"),
    translatable("is not a photo, by its name"),
    translatable("holds photos without classes"),
    translatable("is on no side of the split"),
    translatable("is left by a system or a tool"),
    translatable("holds annotations"),
    translatable("holds only videos"),
    translatable("holds no photos"),
    translatable("cannot be read: {error}"),
    translatable("cannot be decoded: {error}"),
    translatable("cannot be decoded: its data are damaged"),
    translatable("cannot be decoded: it begins like a photo ({kind}), but is none"),
    translatable("grew while it was being read"),
    translatable("changed while it was being read; run the same command again, with `paranoid` if that does not help"),
    translatable("is gone: of this photo of an earlier run only bottlenecks are kept"),
    translatable("takes more memory to decode than this program may have: allow it more (ulimit -v)"),
    translatable("is the same photo as {photo}, which counts once"),
    translatable("lies outside of {folder} ({where})"),
    translatable("has no class ({where})"),
    translatable("has no class"),
    translatable("does not exist ({where})"),
    translatable("is not in the metadata"),
    translatable("names no split, unlike the files beside it"),
    translatable("holds no image"),
    translatable("has the class {label}, and there are {names} names"),
    translatable("is cut off: its {bytes} bytes end before the picture does"),
    translatable("is cut off: its {bytes} bytes end before the picture begins"),
    translatable("is {width} x {height} pixels; the limit is {most}"),
    translatable(
        "is {width} x {height} pixels and would take {need} MB to decode; the limit is {most} MB: make it smaller, "
        "or save it as JPEG"
    ),
    translatable("has {bytes} bytes; the limit is {most}"),
    translatable("has more than {most} bytes"),
    translatable("is a raw photo of a camera, which is not read: save it as JPEG or PNG"),
    translatable("is {what}, which is not read: save it as JPEG or PNG"),
    translatable("is not a photo: it is an SVG drawing; save it as JPEG or PNG"),
    translatable("is not a photo: it is a web page (HTML), perhaps one that says why the photo was not sent"),
    translatable("is not a photo: it is {what}"),
    translatable("is not a photo: its first bytes are not those of {formats} or {last}"),
    translatable("is a HEIC photo, and what reads these is not installed: save it as JPEG"),
    translatable("is a HEIC file without a still picture: save one frame of it as JPEG"),
    translatable("has metadata that belong to many pictures and would take much memory: save it as JPEG"),
    translatable("is made of tiles of more than {most} pixels in all: save it as JPEG"),
    translatable(
        "is a run-length coded BMP of {width} x {height} pixels; the limit of these is {most}: save it as PNG"
    ),
    translatable(
        "has 16 bits per channel and uses less than a sixteenth of their range, so that it would be black; "
        "save it with 8 bits per channel"
    ),
    translatable("has floating-point pixels; save it with 8 bits per channel"),
    translatable("has its pixels written as text, {bytes} bytes; the limit is {most}: save it as PNG"),
    translatable("is {width} x {height} pixels in {scans} scans, which would take minutes: save it again"),
    translatable("has more than {most} parts, which no picture needs"),
    translatable("has more than {most} blocks before its first picture, which no picture needs"),
    translatable("has more than {most} bytes of structure, which no picture needs"),
    translatable("has more than {most} segments before the picture, which no picture needs"),
    translatable("has more than {most} tiles, which no picture needs"),
    translatable("has more than {most} chunks, which no picture needs"),
    translatable("has a header of {bytes} bytes, which no picture needs"),
    translatable("has more than {most} bytes of EXIF data"),
    translatable("has {channels} channels; the limit is {most}"),
    translatable("has {numbers} numbers in its tag {tag}; the limit is {most}"),
    translatable("is damaged: a part of it has {bytes} bytes"),
    translatable("is damaged: what it says of its pictures ends early"),
    translatable("is damaged: its pictures are made of each other"),
    translatable("is damaged: {bytes} bytes before the picture belong to nothing"),
    translatable("is damaged: it does not say its size"),
    translatable("is damaged: it does not say how bright a pixel can be"),
    translatable("is damaged: not all of its pixels are numbers"),
    translatable("is damaged: its {name} chunk has a wrong checksum"),
    translatable("is damaged: its tags say that they are many times longer than the file"),
)
# What is no photo.
KINDS_OF_FILES = (
    translatable("a PAM picture"),
    translatable("a PFM picture"),
    translatable("a JPEG XL picture"),
    translatable("a Windows icon (ICO)"),
    translatable("a Windows cursor (CUR)"),
    translatable("a Photoshop file (PSD)"),
    translatable("a GIMP file (XCF)"),
    translatable("an EPS or PostScript file"),
    translatable("an EPS file"),
    translatable("a DDS texture"),
    translatable("an OpenEXR picture"),
    translatable("a Radiance HDR picture"),
    translatable("a PCX picture"),
    translatable("a DICOM picture"),
    translatable("a raw photo of a camera"),
    translatable("a video or audio file"),
    translatable("a PDF document"),
    translatable("a ZIP archive"),
    translatable("a gzip archive"),
    translatable("a RAR archive"),
    translatable("a 7-Zip archive"),
    translatable("a program"),
    translatable("a pointer of Git LFS, whose photo was not fetched: run `git lfs pull`"),
)
# What is remarked on the split.
REMARKS = (
    translatable("Not tested, for want of a second photo that differs: {classes}."),
    translatable(
        "Fewer than {least} different photos: {classes}. Their recall is a lower bound, since the heads that are "
        "tested have seen a good part less of them than the one that is kept."
    ),
    translatable(
        "{number} of the classes have fewer than {least} different photos ({classes}): accuracy is measured by "
        "{folds}-fold cross-validation over all photos."
    ),
    translatable("The source gives a split, which is kept: {options} had no effect."),
    translatable("The source gives no test and validation photos: taken from its training photos."),
    translatable("The source gives no test photos: taken from its training photos."),
    translatable("The source gives no validation photos: taken from its training photos."),
    translatable(
        "{number} photos have a copy on another side of the given split; its accuracies are too good to be true."
    ),
    translatable(
        "{number} photos are in groups of more than {most} that look the same, as before a fixed camera, and are not "
        "kept together: if they are takes or copies of a few pictures, the accuracy is too good to be true."
    ),
    translatable(
        "Among so many photos, copies in other bytes are not looked for: where some are in two folds, or on two sides, "
        "the accuracy is too good."
    ),
    translatable("There is no training photo of {classes}: validation photos alone can teach what that is."),
    translatable("No test photos, so nothing is known of: {classes}."),
    translatable(
        "{number} of the classes have too few added photos to be on each side ({classes}): they are for training, and "
        "nothing is measured on them."
    ),
)
# As what a folder is read.
READINGS = (
    translatable("{what}; left out: {names}"),
    translatable("photos of the class {label}"),
    translatable("file names in {where} such as {example} with the classes {classes}"),
    translatable("file names such as {example} with the classes {classes}"),
    translatable("class folders {classes}"),
    translatable("{number} photos of an earlier run with the classes {classes}"),
    translatable("{where} with the classes {classes}"),
)
# How a long list of classes ends.
LISTS = (translatable("{names} … ({number} classes)"), translatable("{names} … ({number} in all)"))
# Of a head, and of the model that is compared with it.
FACTS = (
    translatable("optimizer"),
    translatable("label smoothing"),
    translatable("class weight"),
    translatable("balanced"),
    translatable("trained on"),
    translatable("training and validation photos"),
    translatable("hidden units"),
    translatable("activation"),
    translatable("dropout"),
    translatable("epochs"),
    translatable("learning rate"),
    translatable("learning rate schedule"),
    translatable("steps"),
    translatable("best step"),
    translatable("batch size"),
    translatable("transfer"),
    translatable("from scratch"),
    translatable("{number} bottlenecks came from the cache"),
    translatable("linear"),
    translatable("hidden {layers}"),
    translatable("learning rate {rate}"),
    translatable("l2 {penalty}"),
    translatable("{number} views"),
)
# What an export is called, in which other way it is made, and what it is proven on.
EXPORTS = (
    translatable("The frozen graph"),
    translatable("The SavedModel"),
    translatable("The SavedModel (serve_bytes)"),
    translatable("head in float32"),
    translatable("head in float32; run by LiteRT, not in a browser"),
    translatable("real photos"),
    translatable("built-in pictures, as all photos are gone"),
)
# The stages of a run.
STAGES = (
    translatable("read"),
    translatable("decode"),
    translatable("infer"),
    translatable("write"),
    translatable("bottlenecks"),
    translatable("head"),
    translatable("confidence"),
    translatable("fine_tuning"),
    translatable("scratch"),
    translatable("export"),
    translatable("report"),
    translatable("total"),
)
SENTENCES = (*REASONS, *KINDS_OF_FILES, *REMARKS, *READINGS, *LISTS, *FACTS, *EXPORTS, *STAGES)

# Holes for what people have named, which may look like a number.
TEXTS = frozenset({"name", "names", "label", "file", "folder", "photo", "where", "example", "error", "layers"})
# Holes for numbers alone, which swallow no other sentence.
NUMBERS = frozenset({"number", "numbers", "bytes", "most", "least", "width", "height", "folds", "channels", "scans"})

_HOLE = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"\d{1,3}(,\d{3})*(\.\d+)?|\d+(\.\d+)?")


@dataclass(frozen=True)
class Retold:
    """A sentence of the rooms below, as a value of a message that is said later."""

    sentence: str

    def __str__(self) -> str:
        return retold(self.sentence)


def retold(sentence: str, more: tuple[str, ...] = ()) -> str:
    """A sentence of the rooms below, in the language of the moment; one that is not known as it is.

    `more` are sentences of the room that asks.
    """
    if language_now() == ENGLISH:
        return sentence
    if sentence in SENTENCES or sentence in more:
        return translated(sentence)
    for form, pattern in _patterns((*more, *SENTENCES)).items():
        if found := pattern.fullmatch(sentence):
            return translated(form, **{name: _value(name, text, more) for name, text in found.groupdict().items()})
    return sentence


def _value(name: str, text: str, more: tuple[str, ...] = ()) -> str:
    if name == "what":
        return retold(text, more)
    if name == "classes":
        return _list(text)
    if name not in TEXTS and _NUMBER.fullmatch(text):
        _, _, decimals = text.partition(".")
        return figure(float(text.replace(",", "")), f"{',' if ',' in text else ''}.{len(decimals)}f")
    return text


def _list(names: str) -> str:
    """Names of classes, which are nobody's sentences, and how their list ends."""
    for form, pattern in _patterns(LISTS).items():
        if found := pattern.fullmatch(names):
            return translated(form, **{name: _value(name, text) for name, text in found.groupdict().items()})
    return names


@cache
def _patterns(sentences: tuple[str, ...]) -> dict[str, re.Pattern[str]]:
    """Of the sentences that have holes: those around another one first, then those with the most words."""
    holed = [form for form in sentences if "{" in form]
    holed.sort(key=lambda form: ("{what}" not in form, form.startswith("{what}"), -len(_HOLE.sub("", form))))
    return {form: _pattern(form) for form in holed}


def _pattern(form: str) -> re.Pattern[str]:
    parts = _HOLE.split(form)  # words, and the names of holes between them
    return re.compile(
        "".join(_hole(part) if place % 2 else re.escape(part) for place, part in enumerate(parts)), re.DOTALL
    )


def _hole(name: str) -> str:
    return rf"(?P<{name}>[\d.,]+)" if name in NUMBERS else f"(?P<{name}>.+?)"
