"""A Ray cluster of several nodes on this machine, with a token, each node to be killed for itself."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from machines import HERE, Machine

MEMORY = 150_000_000  # for the objects of a node
WAIT = 120.0


@dataclass
class Nodes:
    """The nodes of a cluster, the head first. `environment` is what processes need that join it."""

    address: str
    environment: dict[str, str]
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def kill(self, number: int) -> None:
        """End a node and everything that runs on it, as a power cut would."""
        kill_session(self.processes[number].pid)
        self.processes[number].wait()

    def start(self, *options: str, cores: int = 1, machine: Machine = HERE) -> None:
        """Start one more node, and wait for it: of two that start at once one may give up."""
        log = Path(self.environment["RAY_TMPDIR"]) / f"start-{len(self.processes)}.log"
        with open(log, "wb") as output:
            self.processes.append(
                subprocess.Popen(
                    [
                        *machine.enter, Path(sys.executable).with_name("ray"), "start", "--block",
                        f"--node-ip-address={machine.address}", f"--num-cpus={cores}",
                        f"--object-store-memory={MEMORY}", "--disable-usage-stats", *options,
                    ],
                    env={**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )  # fmt: skip
        end = time.monotonic() + WAIT
        while "Ray runtime started" not in (told := log.read_text(errors="replace")):
            if self.processes[-1].poll() is not None or time.monotonic() > end:
                raise TimeoutError(f"the node did not start: {told[-2000:]}")
            time.sleep(0.1)


@contextmanager
def ray_nodes(*cores: int, on: Sequence[Machine] = ()) -> Iterator[Nodes]:
    """A cluster of a node for each of these numbers of cores, each on one of these machines, or all on loopback."""
    where = list(on) or [HERE] * len(cores)
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        token = Path(folder) / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        port = free_port()
        environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_ADDRESS": f"{where[0].address}:{port}",
            "RAY_TMPDIR": folder,
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        nodes = Nodes(environment["RAY_ADDRESS"], environment)
        try:
            nodes.start(
                "--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}",
                f"--ray-client-server-port={free_port()}", cores=cores[0], machine=where[0],
            )  # fmt: skip
            for number, machine in zip(cores[1:], where[1:], strict=True):
                nodes.start(f"--address={nodes.address}", cores=number, machine=machine)
            wait_for_nodes(nodes, len(cores))
            yield nodes
        finally:
            for process in nodes.processes:
                kill_session(process.pid)
                process.wait()


def processes(session: int) -> list[int]:
    """The processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session:
                found.append(int(entry.name))
    return found


def kill_session(session: int) -> None:
    for pid in processes(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def name_of(pid: int) -> str:
    """The command of a process, as it calls itself."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for_nodes(nodes: Nodes, number: int) -> None:
    """Until so many nodes are there, as a process that joins them sees it."""
    code = (
        "import ray, time\n"
        "ray.init(address='auto', log_to_driver=False, logging_level=50)\n"
        f"while sum(node['Alive'] for node in ray.nodes()) < {number}: time.sleep(0.2)\n"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **nodes.environment}, check=True, timeout=WAIT,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
