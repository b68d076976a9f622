"""Ray, for both packages: joins a cluster, or starts Ray on this machine, and is quiet about it.

Ray is imported where it is asked for, and nowhere else. It sends no usage statistics, starts no dashboard, and shows no
progress bars or logs of its own; its logs are in files, as ever. A cluster's token is that of Ray's own variables
(RAY_AUTH_MODE, RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH) or of ~/.ray/auth_token; Ray that is started here gets a token of
its own, which ends with it.
"""

import logging
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from label_image.errors import ClusterError
from label_image.installing import how_to_install
from label_image.quiet import quiet
from label_image.strangers import set_switches

CONNECT_SECONDS = 10.0
TOKEN = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
# What Ray reads from the environment, unless the user has set it.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9/",  # a head would report that nothing is to be reported
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}


@dataclass(frozen=True)
class RayConfig:
    """Which Ray: the one at `address` (by default that of RAY_ADDRESS), or where there is none, one of this machine.

    `cores` is for the one of this machine; by default it gets those that this process may use.
    """

    address: str | None = None
    cores: int | None = None


@contextmanager
def connected(config: RayConfig = RayConfig()) -> Iterator[Any]:
    """The module `ray`, connected. What this process was connected to before stays so; what was started here ends.

    Raises ClusterError.
    """
    set_switches()
    with _settings():
        ray = _imported()
        if ray.is_initialized():
            yield ray
            return
        address = config.address or os.environ.get("RAY_ADDRESS") or "local"
        with _token_of_its_own() if address == "local" else nullcontext():
            _join(ray, address, config.cores)
            try:
                yield ray
            finally:
                ray.shutdown()


def _imported() -> Any:
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise ClusterError(f"`executor` ray needs Ray, which is not installed: {how_to_install('ray')}.") from error
    # Ray would read its own variable instead of ours where another library had imported it before.
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # It prints on standard output, among the answers, what becomes of each task of a process that dies.
    if hasattr(ray._private.worker, "print_to_stdstream"):
        ray._private.worker.print_to_stdstream = lambda *_, **__: None
    return ray


def _join(ray: Any, address: str, cores: int | None) -> None:
    """Connect to a cluster, or start Ray here. Raises ClusterError."""
    own = address == "local"
    if not own:
        _check_address(address)
    if own and cores is None and hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    started_here = {"num_cpus": cores, "include_dashboard": False} if own else {}
    try:
        with quiet(), _no_api_server():
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, **started_here)
    except Exception as error:
        raise ClusterError(_why(error, address)) from error
    finally:  # `ray.init` sets it
        logging.getLogger("ray").setLevel(logging.CRITICAL)


@contextmanager
def _no_api_server() -> Iterator[None]:
    """Ray starts none of its dashboard's server, which even without a dashboard asks cloud providers where it runs.

    It has no setting for that.
    """
    from ray._private.node import Node

    start = getattr(Node, "start_api_server", None)
    if start is None:
        yield
        return
    Node.start_api_server = lambda self, **options: None
    try:
        yield
    finally:
        Node.start_api_server = start


def _check_address(address: str) -> None:
    """Raises ClusterError for an address that nobody answers at: Ray would try for two minutes, and end the process."""
    if address.startswith("ray://"):
        raise ClusterError(
            f"`ray_address` {address} is that of Ray's client, which cannot be used here: run this on a machine of "
            "the cluster (`ray job submit` does), with `ray_address` auto."
        )
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        raise ClusterError(f"`ray_address` {address} is no address: give HOST:PORT, as in 10.0.0.1:6379.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"No Ray cluster answers at {address} ({error}): check `ray_address`, and that "
            "`ray start --head` runs there."
        ) from error


def _why(error: Exception, address: str) -> str:
    """What kept Ray from being joined, and what to do."""
    text = " ".join(str(error).split())
    low = text.lower()
    # With a wrong token Ray says no more than that it cannot connect; that somebody answers there is known by now.
    if "token" in low or "authenticat" in low or "failed to connect to ray cluster" in low:
        return (
            f"The Ray cluster at {address} refuses the token, or is no Ray cluster: set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN_PATH to the file with the cluster's token, here as on its machines."
        )
    if "version mismatch" in low:
        return f"The Ray cluster at {address} runs other versions of Ray or Python than this machine: {text}"
    if address == "local":
        return f"Ray could not be started on this machine: {text}"
    return f"The Ray cluster at {address} could not be joined; does this machine belong to it (`ray start`)? {text}"


@contextmanager
def _settings() -> Iterator[None]:
    """The variables that keep Ray quiet, while in here."""
    added = {name: value for name, value in SETTINGS.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _token_of_its_own() -> Iterator[None]:
    """A token for Ray on this machine, where the user has said nothing: it would write one into the home folder."""
    if any(name in os.environ for name in TOKEN):
        yield
        return
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    _forget_token()
    try:
        yield
    finally:
        for name in TOKEN:
            os.environ.pop(name, None)
        _forget_token()


def _forget_token() -> None:
    """Ray reads the mode and the token once for a process."""
    from ray import _raylet

    raylet: Any = _raylet
    if hasattr(raylet, "AuthenticationTokenLoader"):  # older ones have no tokens
        raylet.AuthenticationTokenLoader.instance().reset_cache()
        raylet.Config.initialize("")
