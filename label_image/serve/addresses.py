"""Under which address a server is reached, and its QR code for a terminal."""

import io
import ipaddress
import socket
from urllib.parse import quote

NOWHERE = "192.0.2.1"  # RFC 5737: for documents; nothing is sent to it


def lan_address() -> str | None:
    """This machine's address in its network; None if it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((NOWHERE, 9))  # of UDP: the system looks up which address it would send from
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_every(host: str) -> bool:
    """Whether it stands for all addresses of this machine."""
    return host in ("", "0.0.0.0", "::")


def address(host: str, port: int, is_encrypted: bool, token: str | None = None, path: str = "") -> str:
    """The address of a path for a browser. The token stands behind #, which no browser sends to anybody."""
    name = f"[{host}]" if ":" in host else host
    end = "" if token is None else f"#token={quote(token, safe='')}"
    return f"http{'s' if is_encrypted else ''}://{name}:{port}/{path}{end}"


def qr_code(text: str) -> str:
    """A QR code in characters of a terminal."""
    import segno

    drawn = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue()
