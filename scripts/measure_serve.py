"""How fast `label_image serve` answers, beside the same interpreters without HTTP; and whether every answer is right.

    .venv/bin/python scripts/measure_serve.py MODEL PHOTOS [--seconds 20] [--rounds 3] [--connections 8]

In turns, so that both see the same machine: threads in this process that label photos in a loop, and a server in a
process of its own that 8 connections ask, each again as soon as it has its answer. Every answer is compared with that
of this process. Printed are answers per second and their ratio, the median and the 99th percentile of the waiting, the
processor time for an answer, which a busy machine changes less, and the server's memory at the beginning and the end.
"""

import asyncio
import itertools
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from label_image.find_photos import find_photos
from label_image.json_outputs import versioned
from label_image.model import Model, load_model
from label_image.pool import MOST

MOST_PHOTOS = 100


@dataclass
class Measured:
    """Answers in a time; `waited` are seconds for each, `processor` seconds for all."""

    seconds: float = 0
    answers: int = 0
    wrong: int = 0
    processor: float = 0
    waited: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.answers / self.seconds


def without_http(model: Model, photos: Sequence[bytes], seconds: float) -> Measured:
    """Threads that label, one for each core."""
    counts = [0] * MOST
    end = time.monotonic() + seconds

    def label(thread: int) -> None:
        for photo in itertools.islice(itertools.cycle(photos), thread, None):
            if time.monotonic() > end:
                return
            model.label(photo)
            counts[thread] += 1

    began, processor = time.monotonic(), time.process_time()
    threads = [threading.Thread(target=label, args=(number,)) for number in range(MOST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Measured(time.monotonic() - began, sum(counts), processor=time.process_time() - processor)


class Server:
    """A server in a process of its own."""

    def __init__(self, model: str) -> None:
        command = [sys.executable, "-m", "label_image", "serve", model, "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        found = re.search(r":(\d+)/", self.process.stdout.readline())
        if found is None:
            raise click.ClickException("The server did not start.")
        self.port = int(found[1])

    def end(self) -> int:
        """Its exit code."""
        assert self.process.stdout is not None
        self.process.terminate()
        self.process.stdout.close()
        return self.process.wait(60)

    def processor(self) -> float:
        """Seconds of processor time until now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident, in MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6


async def by_http(
    server: Server, photos: Sequence[bytes], expected: Sequence[object], seconds: float, connections: int
) -> Measured:
    """Connections that ask."""
    found = Measured()
    end = time.monotonic() + seconds

    async def ask(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for index in itertools.islice(itertools.cycle(range(len(photos))), first, None):
            if time.monotonic() > end:
                break
            began = time.monotonic()
            head = f"POST /label HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(photos[index])}\r\n\r\n"
            writer.write(head.encode() + photos[index])
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer)
            body = await reader.readexactly(int(length[1]) if length else 0)
            found.waited.append(time.monotonic() - began)
            found.answers += 1
            found.wrong += json.loads(body) != expected[index]
        writer.close()

    began, processor = time.monotonic(), server.processor()
    await asyncio.gather(*(ask(number * len(photos) // connections) for number in range(connections)))
    found.seconds, found.processor = time.monotonic() - began, server.processor() - processor
    return found


def expected_of(model: Model, photo: bytes) -> object:
    """What the server has to say."""
    verdict = model.label(photo)
    top = [{"label": answer.label, "probability": answer.probability} for answer in verdict.answers]
    decided = {"unknown": verdict.unknown, "similarity": verdict.similarity, "threshold": verdict.threshold}
    return versioned({"image": None, **top[0], **decided, "top": top})


@click.command()
@click.argument("model")
@click.argument("photos", nargs=-1, required=True)
@click.option("--seconds", default=20.0, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--connections", default=8, show_default=True)
def main(model: str, photos: tuple[str, ...], seconds: float, rounds: int, connections: int) -> None:
    """Compare a server with the same model in this process."""
    paths = [path for path in find_photos(photos) if isinstance(path, str)]
    data = [Path(path).read_bytes() for path in paths[:: max(1, len(paths) // MOST_PHOTOS)]]
    loaded = load_model(model)
    expected = [expected_of(loaded, photo) for photo in data]
    server = Server(model)
    try:
        alone, asked, memory = [], [], []
        for _ in range(rounds):
            alone.append(without_http(loaded, data, seconds))
            asked.append(asyncio.run(by_http(server, data, expected, seconds, connections)))
            memory.append(server.memory())
    finally:
        code = server.end()
    waited = sorted(itertools.chain.from_iterable(part.waited for part in asked))
    median, late = statistics.median(waited), waited[int(0.99 * len(waited))]
    ratios = [there.rate / here.rate for here, there in zip(alone, asked, strict=True)]
    each = [
        1000 * sum(part.processor for part in parts) / sum(part.answers for part in parts) for parts in (alone, asked)
    ]
    answers, wrong = sum(part.answers for part in asked), sum(part.wrong for part in asked)
    print(f"{answers} answers by {connections} connections, wrong: {wrong}")
    print(
        f"answers/s: {statistics.median(part.rate for part in asked):.1f}, without HTTP "
        f"{statistics.median(part.rate for part in alone):.1f}; ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )
    print(f"waiting: median {1000 * median:.0f} ms, 99 % {1000 * late:.0f} ms, {late / median:.1f} times as long")
    print(f"processor time for an answer: {each[1]:.1f} ms, without HTTP {each[0]:.1f} ms")
    print(f"memory: {memory[0]:.0f} MB after the first round, {memory[-1]:.0f} MB after the last; exit code {code}")


if __name__ == "__main__":
    main()
