"""Build the wheel and the source archive of a version, check both, and say how the version is tagged.

    make release

Nothing is published: that is a command of its own, which this prints. With --draft it builds what is there, whatever
state it is in, to try it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from commands import command

from retrain.core.errors import RetrainError

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = "label_image/web/runtime"  # built by `make web-runtime`; in no commit
PARTS = ("pyproject.toml", "LICENSE", "docs/install.md", "retrain", "label_image")  # all that the wheel is made of
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def version_of(root: Path) -> str:
    """The version in pyproject.toml."""
    found = re.search(r'^version = "(.+)"$', (root / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


def check_changelog(text: str, version: str) -> None:
    """Raises RetrainError unless the newest changes are those of the version, with a date."""
    parts = HEADING.split(text)[1:]
    headings = {heading: body.strip() for heading, body in zip(parts[::2], parts[1::2], strict=True)}
    if headings.pop("Unreleased", ""):
        raise RetrainError(
            f"CHANGELOG.md has changes under Unreleased: give them a heading such as `## {version} - 2026-11-29`."
        )
    newest = next(iter(headings), "")
    if not re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", newest):
        raise RetrainError(
            f"The newest version in CHANGELOG.md is {newest or 'none'}, that in pyproject.toml {version}: they must be "
            f"the same, as in `## {version} - 2026-11-29`."
        )


def check_tree(root: Path, version: str) -> None:
    """Raises RetrainError unless all is committed, and the version has no tag yet."""
    changed = _git(root, "status", "--porcelain").splitlines()
    if changed:
        raise RetrainError(f"There are changes that are in no commit, such as {changed[0][3:]}: commit them first.")
    if _git(root, "tag", "--list", f"v{version}"):
        raise RetrainError(f"The tag v{version} exists: raise the version in pyproject.toml.")
    if not (root / RUNTIME).is_dir():
        raise RetrainError(f"{RUNTIME} is missing, which the camera page needs: run `make web-runtime` first.")


def build(root: Path, output_dir: Path) -> tuple[Path, Path]:
    """Write wheel and source archive; the same files give the same wheel. Raises RetrainError with what failed."""
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        source, built = Path(scratch) / "source", Path(scratch) / "built"
        listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS)
        for name in filter(None, listed.split("\0")):
            if (root / name).is_file():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, source / name)
        if (root / RUNTIME).is_dir():
            shutil.copytree(root / RUNTIME, source / RUNTIME)
        date = _git(root, "log", "-1", "--format=%ct").strip()
        _run("build", "--no-isolation", "--outdir", str(built), str(source), SOURCE_DATE_EPOCH=date)
        (wheel,), (archive,) = built.glob("*.whl"), built.glob("*.tar.gz")
        _run("check_wheel_contents", "--config", str(source / "pyproject.toml"), str(wheel))
        _run("twine", "check", "--strict", str(wheel), str(archive))
        return Path(shutil.copy(wheel, output_dir)), Path(shutil.copy(archive, output_dir))


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise RetrainError(f"`git {arguments[0]}` failed in {root}: {done.stderr.strip()}")
    return done.stdout


def _run(module: str, *arguments: str, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode:
        raise RetrainError(f"`{module}` failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")


@command
@click.option("--output_dir", type=click.Path(path_type=Path), default="dist", show_default=True)
@click.option("--draft", is_flag=True, help="Build what is there, also what is in no commit or changelog.")
def main(output_dir: Path, draft: bool) -> None:
    """Build and check the wheel and the source archive of the version in pyproject.toml."""
    version = version_of(ROOT)
    if not draft:
        check_changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
        check_tree(ROOT, version)
    files = build(ROOT, output_dir)
    for file in files:
        click.echo(f"{file}: {file.stat().st_size} bytes, SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()}")
    if not draft:
        click.echo(f"Try it:  make wheel-check WHEEL={files[0]}")
        click.echo(f"Tag it:  git tag --annotate v{version} --message 'retrain-photos {version}'")
        click.echo(f"Publish: {Path(sys.executable).parent}/twine upload {' '.join(map(str, files))}")


if __name__ == "__main__":
    main()
