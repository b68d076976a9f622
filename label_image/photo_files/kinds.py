"""The kind of a file, by its first bytes: which photos are read, and the true name of what is not one."""

import re
import struct

from label_image.errors import PhotoError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
ADVICE = f"save it as JPEG or PNG ({', '.join(FORMATS[:-1])} and {FORMATS[-1]} are read)"

_PHOTOS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+"), "TIFF"),
}
_PICTURES = {
    **dict.fromkeys((b"P1", b"P4"), "a PBM picture"),
    **dict.fromkeys((b"P2", b"P5"), "a PGM picture"),
    **dict.fromkeys((b"P3", b"P6"), "a PPM picture"),
    b"P7\n": "a PAM picture",
    **dict.fromkeys((b"PF\n", b"Pf\n"), "a PFM picture"),
    **dict.fromkeys((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
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
_OTHERS = {
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
_TARGA_END = b"TRUEVISION-XFILE.\0"


def kind_of(data: bytes) -> str:
    """One of FORMATS, or HEIF. Raises PhotoError, saying what the file is instead."""
    if not data:
        raise PhotoError("is empty (0 bytes)")
    for magic, kind in _PHOTOS.items():
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _kind_of_boxes(data)
    raise PhotoError(_refusal(data))


def _kind_of_boxes(data: bytes) -> str:
    if b"avif" in data[8:64] or b"avis" in data[8:64]:  # its first brand may be HEIF's mif1
        return "AVIF"
    if data[8:11] in (b"hei", b"hev", b"mif", b"msf"):
        return "HEIF"
    if data[8:12] == b"crx ":
        raise PhotoError(f"is a raw photo of a camera, which is not read: {ADVICE}")
    raise PhotoError("is not a photo: it is a video or audio file")


def _refusal(data: bytes) -> str:
    if _is_targa(data):  # before the cursor, whose first bytes it may have
        return f"is a TGA picture, which is not read: {ADVICE}"
    for magic, name in _PICTURES.items():
        if data.startswith(magic) and (len(magic) > 2 or magic[:1] != b"P" or data[2:3].isspace()):
            return f"is {name}, which is not read: {ADVICE}"
    if data[128:132] == b"DICM":
        return f"is a DICOM picture, which is not read: {ADVICE}"
    if _SVG.match(data[:2000]):
        return f"is not a photo: it is an SVG drawing; {ADVICE}"
    for magic, name in _OTHERS.items():
        if data.startswith(magic):
            return f"is not a photo: it is {name}"
    if _WEB_PAGE.match(data[:2000]):
        return "is not a photo: it is a web page (HTML), perhaps one that says why the photo was not sent"
    return f"is not a photo: its first bytes are not those of {', '.join(FORMATS)}"


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
