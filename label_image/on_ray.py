"""Ray, for both packages: joins a cluster, or starts Ray on this machine, and is quiet about it.

Ray is imported where it is asked for, and nowhere else. It sends no usage statistics, starts no dashboard, and shows no
progress bars or logs of its own; its logs are in files, as ever. A cluster's token is that of Ray's own variables
(RAY_AUTH_MODE, RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH) or of ~/.ray/auth_token; Ray that is started here gets a token of
its own, which ends with it.
"""

import logging
import os
import secrets
import signal
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from label_image.errors import ClusterError
from label_image.installing import how_to_install
from label_image.quiet import quiet
from label_image.strangers import set_switches, show_pandas_and_sklearn
from label_image.terminal import complain

CONNECT_SECONDS = 10.0
LOOK_SECONDS, MISSED = 5.0, 3  # how often the head is looked for, and how often in vain until that is said
TOKEN = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
# What Ray reads from the environment, unless the user has set it.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9/",  # a head would report that nothing is to be reported
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}
# Of a worker's process, which Ray would start again for ever where photos, or too little memory, end it each time.
RETRIES = {"max_task_retries": 8, "max_restarts": 100}
RAYS_OWN = ("Failed to apply UDF", "To change retry")  # lines that it adds to an error, on how to program it


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
                with _watched(ray.get_runtime_context().gcs_address, address):
                    yield ray
            finally:
                ray.shutdown()


def _imported() -> Any:
    show_pandas_and_sklearn()
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
        with quiet(), _no_api_server(), _own_signals():
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, **started_here)
    except Exception as error:
        raise ClusterError(_why(error, address)) from error
    finally:  # `ray.init` sets it
        logging.getLogger("ray").setLevel(logging.CRITICAL)


@contextmanager
def _watched(head: str, address: str) -> Iterator[None]:
    """Says where the head (HOST:PORT) is gone: a minute later Ray ends this process, with exit code 1 and no word."""
    host, _, port = head.rpartition(":")
    over = threading.Event()

    def watch() -> None:
        missed = 0
        while not over.wait(LOOK_SECONDS):
            try:
                socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
                missed = 0
            except OSError:
                missed += 1
            if missed == MISSED and not over.is_set():
                complain(
                    f"The head of the Ray cluster at {address} answers no more, and this ends within a minute: start "
                    "it, and run the same command again; what was computed is kept."
                )

    threading.Thread(target=watch, name="looking for the head", daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextmanager
def data_settings(ray: Any, in_order: bool) -> Iterator[None]:
    """Ray Data shows nothing, and gives what it has `in_order` of what it was given, or as it comes, while in here."""
    context = ray.data.DataContext.get_current()
    before = context.enable_progress_bars, context.execution_options.preserve_order
    context.enable_progress_bars, context.execution_options.preserve_order = False, in_order
    try:
        yield
    finally:
        context.enable_progress_bars, context.execution_options.preserve_order = before


@contextmanager
def limited_retries() -> Iterator[dict[str, Any]]:
    """The options by which no worker of a pool is started again for ever; Ray warns that their names will change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield dict(RETRIES)


def what_ended(error: Exception) -> str:
    """Why Ray ended a run, in a sentence; its own text has the traceback of another process."""
    from ray.exceptions import OutOfMemoryError, RayActorError, WorkerCrashedError

    is_process = isinstance(error, OutOfMemoryError | RayActorError | WorkerCrashedError)
    if is_process and not getattr(error, "actor_init_failed", False):
        return (
            "the process of a worker ended again and again. Most often its machine has too little memory (2 GB for "
            "each core are ample), or a photo among its last ones brings it down."
        )
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith(RAYS_OWN)]
    return lines[-1] if lines else f"{type(error).__name__}."


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM to itself, prints where the program was, and ends it with a code of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


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
        raise ClusterError(f"`ray_address` {address} is not an address: give HOST:PORT, as in 10.0.0.1:6379.")
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
