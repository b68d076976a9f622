"""How long listing very many objects takes, and that no more than a portion of them is held.

    python scripts/measure_listing.py 1000000 10000000

A server on loopback, in a process of its own, answers as S3 does, with objects that it makes up: pages of 1,000. They
are listed as `retrain extract` does it. For each number: seconds, objects a second, and the most memory that this
process had until then, which stays where it was from one number to ten times as many.
"""

import os
import resource
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from urllib.parse import parse_qs, urlsplit

import click

from retrain.photos.portions import in_portions
from retrain.photos.sources.base import Unpacking

PAGE = 1000
IN_FOLDER = 10_000  # objects
PORTION = 100_000
OBJECT = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;{number:032x}&quot;"
    "</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
ANSWER = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Name>many</Name><Prefix></Prefix><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys>"
    "<IsTruncated>{more}</IsTruncated>{token}{objects}</ListBucketResult>"
)


class _MadeUp(BaseHTTPRequestHandler):
    """The bucket `many`, in which the folder that is asked for is the number of its objects."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        prefix = asked["prefix"][0]
        start = int(asked.get("continuation-token", ["0"])[0])
        end = min(start + PAGE, int(prefix.strip("/")))
        objects = "".join(
            OBJECT.format(key=f"{prefix}{number // IN_FOLDER:06}/{number:09}.jpg", number=number, size=100_000 + number)
            for number in range(start, end)
        )
        more = end < int(prefix.strip("/"))
        token = f"<NextContinuationToken>{end}</NextContinuationToken>" if more else ""
        body = ANSWER.format(count=end - start, more=str(more).lower(), token=token, objects=objects).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _serve(port: Connection) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _MadeUp) as server:
        port.send(server.server_address[1])
        server.serve_forever()


def measure(objects: int) -> tuple[float, int, int]:
    """List so many objects: seconds, how many came, and the most memory of this process so far, in MB."""
    began, found = time.perf_counter(), 0
    for portion in in_portions([f"s3://many/{objects}"], Unpacking(), PORTION):
        found += len(portion.files)
    return time.perf_counter() - began, found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@click.command()
@click.argument("objects", type=click.IntRange(min=1), nargs=-1)
def main(objects: Sequence[int]) -> None:
    """Measure how long it takes to list so many OBJECTS, one number after the other; alone: 1000000."""
    context = get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(there,), daemon=True)
    server.start()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{here.recv()}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        for number in objects or [1_000_000]:
            seconds, found, megabytes = measure(number)
            print(
                f"{found:,} objects: {seconds:.1f} s, {found / seconds:,.0f} a second, at most {megabytes} MB",
                flush=True,
            )
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
