"""The one photo of a request: its body as it is, or the file of a form. Nothing goes to the disk."""

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from label_image.serve.refused import Refused

MOST_PARTS = 16
FORM = b"multipart/form-data"


@dataclass
class Part:
    """One part of a form: what its Content-Disposition says, and its content."""

    disposition: bytes = b""
    content: list[bytes] = field(default_factory=list)

    def file(self) -> tuple[str, bytes] | None:
        """Name and bytes, of a part that is a file."""
        _, options = parse_options_header(self.disposition)
        name = options.get(b"filename")
        return None if name is None else (name.decode("utf-8", "replace"), b"".join(self.content))


class Form:
    """Collects the parts that the parser finds."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.is_whole = False
        self._name = self._value = b""

    def begin(self) -> None:
        if len(self.parts) == MOST_PARTS:
            raise Refused(400, f"A form may have {MOST_PARTS} parts.")
        self.parts.append(Part())

    def name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self.parts[-1].disposition = self._value
        self._name = self._value = b""

    def end(self) -> None:
        self.is_whole = True

    def content(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].content.append(data[start:end])


def only_file(content_type: str, body: bytes) -> tuple[str | None, bytes]:
    """The name of the photo, if it has one, and its bytes. Raises Refused."""
    kind, options = parse_options_header(content_type)
    if kind != FORM:
        return None, body
    boundary = options.get(b"boundary")
    if not boundary:
        raise Refused(400, "The form has no boundary in its Content-Type: let the program that sends it write that.")
    files = [found for part in parts_of(boundary, body) if (found := part.file()) is not None]
    if len(files) != 1:
        raise Refused(400, f"The form must have one file, the photo; this one has {len(files)}.")
    return files[0]


def parts_of(boundary: bytes, body: bytes) -> list[Part]:
    """The parts of a form. Raises Refused."""
    form = Form()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.begin,
                "on_header_field": form.name,
                "on_header_value": form.value,
                "on_header_end": form.header,
                "on_part_data": form.content,
                "on_end": form.end,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise Refused(400, "The form is damaged.") from None
    if not form.is_whole:
        raise Refused(400, "The form is damaged: it ends early.")
    return form.parts
