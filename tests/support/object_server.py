"""moto's server for S3 on loopback, in a process of its own, and what says to the tools of AWS where it is."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

STARTS_WITHIN = 60.0
PAGE = 7  # objects in an answer, so that few of them take several


@dataclass(frozen=True)
class ObjectServer:
    """A server that runs, by its address; `bucket` is one that is there and was empty."""

    endpoint: str
    bucket: str = "photos"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the tools of AWS have to find in the environment."""
        return environment_for(self.endpoint)

    def client(self) -> Any:
        """boto3's own, to prepare and to look."""
        return _client(self.endpoint)

    def put(self, key: str, data: bytes) -> None:
        """Put an object into the bucket."""
        self.client().put_object(Bucket=self.bucket, Key=key, Body=data)

    def empty(self) -> None:
        """Remove all that is in the bucket."""
        client = self.client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for item in page.get("Contents", ()):
                client.delete_object(Bucket=self.bucket, Key=item["Key"])


@cache
def _client(endpoint: str) -> Any:
    import boto3

    session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    return session.client("s3", endpoint_url=endpoint)


def environment_for(endpoint: str) -> Mapping[str, str]:
    """The environment in which an endpoint is asked, and nobody is asked for credentials."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """A server that is asked and answers, until the block ends."""
    port = free_port()
    # It listens on the port itself, so that one that was taken meanwhile is an error and no other server.
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)},
    )
    try:
        _wait_for(server, port)
        found = ObjectServer(f"http://127.0.0.1:{port}")
        found.client().create_bucket(Bucket=found.bucket)
        yield found
    finally:
        server.kill()
        server.wait()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(server: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)  # it tells nobody when it listens
    raise RuntimeError("moto's server did not start")
