"""Machines on this one, as far as networks go: namespaces of Linux, each with an address of its own, on one bridge."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Where it is reached, and what a command begins with that shall run there."""

    address: str
    enter: tuple[str, ...] = ()

    def cut_off(self) -> None:
        """Nobody reaches it any more, nor it anybody; what runs there goes on."""
        run(*self.enter, "ip", "link", "set", "there", "down")


HERE = Machine("127.0.0.1")


def can_be_made() -> bool:
    """Whether this process may make namespaces: it takes root, and the command `ip`."""
    try:
        made = subprocess.run(["ip", "netns", "add", name_of(0)], capture_output=True, check=False)
    except OSError:
        return False
    if made.returncode == 0:
        run("ip", "netns", "del", name_of(0))
    return made.returncode == 0


@contextmanager
def machines(number: int) -> Iterator[list[Machine]]:
    """So many machines, the first of which is this one; the others go at the end, with nothing running there."""
    network = f"10.{os.getpid() // 250 % 250}.{os.getpid() % 250}"
    bridge = f"retrain{os.getpid()}"[:15]
    found = [Machine(f"{network}.1")]
    with ExitStack() as stack:
        run("ip", "link", "add", bridge, "type", "bridge")
        stack.callback(run, "ip", "link", "del", bridge)
        run("ip", "address", "add", f"{network}.1/24", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        for one in range(1, number):
            name, here = name_of(one), f"v{os.getpid()}.{one}"
            run("ip", "netns", "add", name)
            stack.callback(run, "ip", "netns", "del", name)
            run("ip", "link", "add", here, "type", "veth", "peer", "there", "netns", name)
            run("ip", "link", "set", here, "master", bridge, "up")
            found.append(Machine(f"{network}.{one + 1}", ("ip", "netns", "exec", name)))
            run(*found[-1].enter, "ip", "address", "add", f"{network}.{one + 1}/24", "dev", "there")
            for device in ("lo", "there"):
                run(*found[-1].enter, "ip", "link", "set", device, "up")
        yield found


def name_of(number: int) -> str:
    return f"retrain-{os.getpid()}-{number}"


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
