"""Run a command under two witnesses: what it asked of the network, which files it wrote where, which variables it set.

    .venv/bin/python scripts/watched.py --given tf_files -- .venv/bin/retrain --image_dir cats

One witness is an audit hook in every Python, the other strace, if that is installed, around all that runs. The command
gets an empty home and an empty temporary folder. Exit code 1 if it looked up a name, opened a socket (but for those of
this machine's own file system), wrote anywhere but in the given folders, left a file in its temporary folder, or made
a new environment variable while it had several threads: one that asks for a variable meanwhile, as libjpeg does for
each photo, may then end the process.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

WITNESS = Path(__file__).with_name("witness")
STRACE = shutil.which("strace")
TRACED = (
    "network,?open,openat,?openat2,?creat,?mkdir,mkdirat,?rename,?renameat,?renameat2,?link,linkat,"
    "?symlink,symlinkat,?mknod,mknodat,?truncate"
)
CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+|\?)")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")
# What a C library reads to look a name up.
RESOLVER = ("/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf")
MAKES = ("creat", "truncate", "mkdir", "mknod", "rename", "link", "symlink")
NO_FILES = ("/dev/", "/proc/")


@dataclass(frozen=True)
class Run:
    """What came of a command, and what its witnesses saw."""

    returncode: int
    output: str
    network: tuple[str, ...]
    elsewhere: tuple[Path, ...]  # files written, though they lie in no given folder
    left: tuple[str, ...]  # in HOME and TMPDIR, after it
    variables: tuple[str, ...]  # new in the environment, while there were several threads


@dataclass(frozen=True)
class Seen:
    """What one witness saw."""

    network: list[str]
    written: list[Path]
    variables: list[str]


def run_watched(command: list[str], folder: Path, room: Path, given: list[Path]) -> Run:
    """Run in `folder`, with an empty HOME and TMPDIR in `room`, and nothing of this process's environment but PATH.

    It may write to the `given` folders and to TMPDIR, and Python to its cached bytecode.
    """
    home, temporary = room / "home", room / "tmp"
    for each in (home, temporary):
        each.mkdir(parents=True)
    log, trace = room / "witness.log", room / "strace.log"
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(WITNESS),
        "WITNESS_LOG": str(log),
    }
    tracer = [STRACE, "-f", "--seccomp-bpf", "-qq", "-y", "-s", "4096", "-e", f"trace={TRACED}", "-o", str(trace)]
    done = subprocess.run(
        [*(tracer if STRACE else []), *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    witnesses = [_audited(log), _traced(trace, folder)]
    left = [str(path.relative_to(room)) for place in (home, temporary) for path in sorted(place.rglob("*"))]
    allowed = [each.resolve() for each in (*given, temporary)]
    elsewhere = {
        path
        for path in (path for witness in witnesses for path in witness.written)
        if path not in (log, trace)
        and "__pycache__" not in path.parts
        and not any(path.is_relative_to(place) for place in allowed)
    }
    network = tuple(line for witness in witnesses for line in witness.network)
    variables = tuple(name for witness in witnesses for name in witness.variables)
    return Run(done.returncode, done.stdout, network, tuple(sorted(elsewhere)), tuple(left), variables)


def _audited(log: Path) -> Seen:
    seen = Seen([], [], [])
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():  # no Python, no log
        kind, *rest = json.loads(line)
        if kind == "network":
            seen.network.append(" ".join(rest))
        elif kind == "variable":
            seen.variables.append(rest[0])
        else:
            seen.written.extend(_as_file(rest[0], Path("/")))
    return seen


def _traced(trace: Path, folder: Path) -> Seen:
    seen = Seen([], [], [])
    for line in _whole_calls(trace) if STRACE else ():
        call = CALL.match(line)
        if call is None:
            continue
        name, arguments, failed = call["name"], call["arguments"], call["result"].startswith("-")
        names = [_unquoted(each) for each in QUOTED.findall(arguments)]
        if name in ("socket", "connect", "sendto", "sendmsg", "sendmmsg", "bind"):
            if "AF_INET" in arguments or (name == "socket" and not arguments.startswith(("AF_UNIX", "AF_LOCAL"))):
                seen.network.append(line)
        elif not names:
            continue
        elif name.startswith("open"):
            if names[0] in RESOLVER:
                seen.network.append(line)
            if WRITES.search(arguments) and not failed:
                seen.written.extend(_as_file(names[0], _directory(arguments, folder)))
        elif not failed and name.startswith(MAKES):
            seen.written.extend(_as_file(names[-1], _directory(arguments, folder)))
    return seen


def _whole_calls(trace: Path) -> list[str]:
    """The calls of a trace, those that another thread interrupted put together again."""
    begun: dict[str, str] = {}
    calls = []
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        process, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[process] = rest.removesuffix("<unfinished ...>")
        elif (resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", rest)) is not None:
            calls.append(begun.pop(process, "") + resumed[1])
        else:
            calls.append(rest)
    return calls


def _unquoted(text: str) -> str:
    """A name as strace writes it: with C's escapes for what is no printable ASCII."""
    return os.fsdecode(text.encode("ascii", "replace").decode("unicode_escape").encode("latin-1", "replace"))


def _directory(arguments: str, folder: Path) -> Path:
    """The folder that a name is relative to: of the last directory handle that the call names."""
    handles = re.findall(r"(?:AT_FDCWD|\b\d+)<([^>]*)>", arguments)
    return Path(handles[-1]) if handles else folder


def _as_file(name: str, folder: Path) -> list[Path]:
    """The absolute path, links to folders followed; nothing for devices and the like."""
    path = folder / name
    return [] if str(path).startswith(NO_FILES) else [path.parent.resolve() / path.name]


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--given", multiple=True, type=click.Path(path_type=Path), help="A folder that it may write to.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def main(given: tuple[Path, ...], command: tuple[str, ...]) -> None:
    """Run COMMAND, and say what it asked of the network, which files it wrote where, which variables it set."""
    with tempfile.TemporaryDirectory() as room:
        run = run_watched(list(command), Path.cwd(), Path(room), list(given))
    click.echo(run.output)
    seen = {"network": run.network, "written elsewhere": run.elsewhere, "left": run.left, "set late": run.variables}
    for title, lines in seen.items():
        for line in lines:
            click.echo(f"{title}: {line}")
    watching = "Python's audit hook" + (" and strace" if STRACE else "; strace is not installed")
    click.echo(f"watched by {watching}; the command's exit code: {run.returncode}")
    sys.exit(any(seen.values()))


if __name__ == "__main__":
    main()
