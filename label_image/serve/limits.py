"""What one request may take, and all of them together: a server that is asked too much says so and goes on."""

from dataclasses import dataclass

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """All of them hold at once. Whoever goes beyond one is refused; the others do not notice."""

    body: int = 32 * MEBIBYTE  # bytes of a request
    bodies: int = 256 * MEBIBYTE  # bytes of all requests that are in memory
    pixels: int = 100_000_000  # of a photo
    photos: int = 64  # in a request
    waiting: int = 64  # requests that wait for a thread
    seconds: float = 30  # for a request, from its head to its answer
    head_seconds: float = 10  # for the head of a request
    idle_seconds: float = 15  # until a connection is closed on which nothing is asked
    head_bytes: int = 64 * 1024
    connections: int = 256
