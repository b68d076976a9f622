"""The process: a socket, uvicorn, and signals that end it without losing a request."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from label_image.errors import ModelError
from label_image.files import reason_of
from label_image.serve.connections import Connection, limited
from label_image.serve.limits import Limits

SPARE_FILES = 64  # descriptors beside those of connections
GRACE_SECONDS = 30
BACKLOG = 1024  # connections that the system keeps until they are taken


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate with its chain, and of its key."""

    chain: Path
    key: Path


class Server(uvicorn.Server):
    """Ends at the first signal once all requests are answered, with exit code 0; at the second one at once.

    `ready` is called when it answers, and signals are heard; `ending` when it takes no more requests, and waits for
    those that it has.
    """

    def __init__(
        self, config: uvicorn.Config, limits: Limits, ready: Callable[[], None], ending: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._kind = limited(limits)
        self._handshake_seconds = limits.head_seconds if config.is_ssl else None
        self._ready, self._ending = ready, ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        loop = asyncio.get_running_loop()
        for listening in sockets or []:
            # As uvicorn does, but for the time that encryption may take to begin.
            self.servers.append(
                await loop.create_server(
                    self._connection,
                    sock=listening,
                    ssl=self.config.ssl,
                    ssl_handshake_timeout=self._handshake_seconds,
                    backlog=BACKLOG,
                )
            )
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)

    def _connection(self) -> Connection:
        return self._kind(self.config, self.server_state, self.lifespan.state)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        def stop(number: int, frame: FrameType | None) -> None:
            if self.should_exit:
                os._exit(128 + number)
            self.should_exit = True

        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        # What nohup and a shell's background jobs ignore, this does.
        before = {number: signal.getsignal(number) for number in numbers}
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ModelError that says why there is none."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # Whoever says :: means all addresses, those of IPv4 included: the one that is said to a phone is of these.
        both = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        # What Python makes of one says the address once more.
        is_system = error.errno is not None and not isinstance(error, socket.gaierror)
        reason = os.strerror(error.errno or 0) if is_system else reason_of(error)
        raise ModelError(
            f"{host}, port {port} cannot be listened on ({reason}): pass another --port or --host."
        ) from None


def run(
    app: ASGIApp,
    listening: socket.socket,
    limits: Limits,
    certificate: Certificate | None,
    say: Callable[[], None],
    ending: Callable[[], None] = lambda: None,
    grace_seconds: int = GRACE_SECONDS,
) -> None:
    """Serve until a signal ends it, and then `grace_seconds` for requests that are being answered.

    `say` is called when it is ready, `ending` when answers that go on have to end.
    """
    most = min(limits.connections, _files_allowed() - SPARE_FILES)
    limits = replace(limits, connections=max(most, 8))
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(limits.idle_seconds),
        timeout_graceful_shutdown=grace_seconds,
        ssl_certfile=None if certificate is None else certificate.chain,
        ssl_keyfile=None if certificate is None else certificate.key,
    )
    if certificate is not None:
        try:
            config.load()  # reads its files
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise ModelError(
                f"The certificate {certificate.chain} with {certificate.key} cannot be used: {reason}."
            ) from None
    Server(config, limits, say, ending).run(sockets=[listening])


def _files_allowed() -> int:
    if sys.platform == "win32":
        return 512
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 10**6 if soft == resource.RLIM_INFINITY else soft
