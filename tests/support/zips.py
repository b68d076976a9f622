"""ZIP files in memory."""

import io
import zipfile
from collections.abc import Mapping


def zip_of(members: Mapping[str, bytes]) -> bytes:
    """A ZIP of these files, by their names."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return data.getvalue()
