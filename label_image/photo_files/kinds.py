"""The kind of a file, by its first bytes: which photos are read, and the true name of what is not one."""

import re
import struct

from label_image.errors import PhotoError

EXTENSIONS = {  # of the files of each kind, the usual one first
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".j2c", ".jpc"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TGA": (".tga",),
}
FORMATS = tuple(EXTENSIONS)  # as Pillow says
NAMES = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "HEIC", "AVIF", "JPEG 2000", "PPM", "PGM", "PBM", "TGA")
ADVICE = "save it as JPEG or PNG"

_PHOTOS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+"), "TIFF"),
    **dict.fromkeys((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "JPEG2000"),
}
_PICTURES = {
    b"P7\n": "a PAM picture",
    **dict.fromkeys((b"PF\n", b"Pf\n"), "a PFM picture"),
    **dict.fromkeys((b"\0\0\0\x0cJXL ", b"\xff\x0a"), "a JPEG XL picture"),
    b"\0\0\1\0": "a Windows icon (ICO)",
    b"\0\0\2\0": "a Windows cursor (CUR)",
    b"8BPS": "a Photoshop file (PSD)",
    b"gimp xcf": "a GIMP file (XCF)",
    b"%!PS": "an EPS or PostScript file",
    b"\xc5\xd0\xd3\xc6": "an EPS file",
    b"DDS ": "a DDS texture",
    b"\x76\x2f\x31\x01": "an OpenEXR picture",
    b"#?RADIANCE": "a Radiance HDR picture",
    b"\x0a\x05\x01": "a PCX picture",
    b"FUJIFILMCCD-RAW": "a raw photo of a camera",
}
_VIDEO = "a video or audio file"
_OTHERS = {
    **dict.fromkeys((b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3", b"0&\xb2u", b"FLV\1", b"OggS", b"ID3"), _VIDEO),
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x7fELF": "a program",
    b"version https://git-lfs": "a pointer of Git LFS, whose photo was not fetched: run `git lfs pull`",
}
_WEB_PAGE = re.compile(rb"\s*(<!--.{0,200}?-->\s*)?<(!doctype html|html|head|body)[\s>]", re.IGNORECASE | re.DOTALL)
_SVG = re.compile(rb"\s*(<\?xml.{0,1000}?)?<svg[\s>/]", re.IGNORECASE | re.DOTALL)
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_PPM = tuple(b"%d" % number for number in range(1, 7))
_TARGA_END = b"TRUEVISION-XFILE.\0"


def kind_of(data: bytes) -> str:
    """One of FORMATS. Raises PhotoError, saying what the file is instead."""
    if not data:
        raise PhotoError("is empty (0 bytes)")
    for magic, kind in _PHOTOS.items():
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _kind_of_boxes(data)
    if data[:1] == b"P" and data[1:2] in _PPM and (data[2:3].isspace() or data[2:3] == b"#"):
        return "PPM"
    if _is_targa(data):  # before the cursor, whose first bytes it may have
        return "TGA"
    raise PhotoError(_refusal(data))


def extension_of(data: bytes) -> str:
    """What the name of a photo with these bytes ends in, `.jpg`; nothing for what is no photo."""
    try:
        return EXTENSIONS[kind_of(data)][0]
    except PhotoError:
        return ""


def _kind_of_boxes(data: bytes) -> str:
    end = min(max(int.from_bytes(data[:4], "big"), 12), 512)
    brands = {data[at : at + 4] for at in (8, *range(16, end - 3, 4))}
    if brands & {b"avif", b"avis"}:  # the first brand may be HEIF's mif1
        return "AVIF"
    if brands & _HEIF:
        return "HEIF"
    if b"crx " in brands:
        raise PhotoError(f"is a raw photo of a camera, which is not read: {ADVICE}")
    raise PhotoError(f"is not a photo: it is {_VIDEO}")


def _refusal(data: bytes) -> str:
    for magic, name in _PICTURES.items():
        if data.startswith(magic):
            return f"is {name}, which is not read: {ADVICE}"
    if data[128:132] == b"DICM":
        return f"is a DICOM picture, which is not read: {ADVICE}"
    if data[:4] == b"RIFF" and data[8:12] in (b"AVI ", b"WAVE"):
        return f"is not a photo: it is {_VIDEO}"
    if _SVG.match(data[:2000]):
        return f"is not a photo: it is an SVG drawing; {ADVICE}"
    for magic, name in _OTHERS.items():
        if data.startswith(magic):
            return f"is not a photo: it is {name}"
    if _WEB_PAGE.match(data[:2000]):
        return "is not a photo: it is a web page (HTML), perhaps one that says why the photo was not sent"
    return f"is not a photo: its first bytes are not those of {', '.join(NAMES[:-1])} or {NAMES[-1]}"


def _is_targa(data: bytes) -> bool:
    # Older ones have neither a beginning nor an end of their own; what their header may hold is narrow.
    if data.endswith(_TARGA_END):
        return True
    if len(data) < 18:
        return False
    _, mapped, image, first, colours, depth, _, _, width, height, bits, _ = struct.unpack_from("<BBBHHBHHHHBB", data)
    if mapped:
        fits = mapped == 1 and image in (1, 9) and colours > 0 and depth in (15, 16, 24, 32)
    else:
        fits = image in (2, 3, 10, 11) and first == colours == depth == 0
    return bool(fits and bits in (8, 15, 16, 24, 32) and width and height)
