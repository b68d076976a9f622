"""What a release is refused for, and what it says at the end; tests/packaging builds one."""

import subprocess
from pathlib import Path

import pytest
import release
from click.testing import CliRunner, Result

from retrain.core.errors import RetrainError

CHANGES = "# Changelog\n\n## 1.2.0 - 2026-12-01\n\n### Added\n- Something.\n\n## 1.1.0 - 2026-11-01\n- Other.\n"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of version 1.2.0, in which nothing is left to commit."""
    folder = tmp_path / "clone"
    (folder / release.RUNTIME).mkdir(parents=True)
    (folder / "CHANGELOG.md").write_text(CHANGES)
    (folder / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (folder / ".gitignore").write_text("runtime/\n")
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "A")
    git(folder, "config", "user.email", "a@example.com")
    commit(folder)
    monkeypatch.setattr(release, "ROOT", folder)
    return folder


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")


def called(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(release.main, ["--output_dir", str(folder.parent / "dist"), *options])


def test_it_says_how_the_version_is_tagged(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = (clone / "CHANGELOG.md", clone / "pyproject.toml")
    monkeypatch.setattr(release, "build", lambda root, output_dir: files)
    done = called(clone)
    assert done.exit_code == 0, done.output
    assert "git tag --annotate v1.2.0 --message 'retrain-photos 1.2.0'" in done.output
    assert f"twine upload {files[0]} {files[1]}" in done.output
    git(clone, "tag", "v1.2.0")
    done = called(clone)
    assert done.exit_code != 0 and "The tag v1.2.0 exists: raise the version in pyproject.toml." in done.output


@pytest.mark.parametrize("name", ["new.py", "CHANGELOG.md"])
def test_a_tree_with_changes_is_refused(clone: Path, name: str) -> None:
    (clone / name).write_text(CHANGES + "- More.\n")
    done = called(clone)
    assert done.exit_code != 0 and f"that are in no commit, such as {name}: commit them first." in done.output


def test_a_wheel_without_the_camera_pages_runtime_is_refused(clone: Path) -> None:
    (clone / release.RUNTIME).rmdir()
    done = called(clone)
    assert done.exit_code != 0 and "run `make web-runtime` first" in done.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CHANGES.replace("## 1.2.0", "## Unreleased\n\n### Fixed\n- It.\n\n## 1.2.0"), "has changes under Unreleased"),
        (CHANGES.replace("1.2.0", "1.3.0"), "is 1.3.0 - 2026-12-01, that in pyproject.toml 1.2.0"),
        (CHANGES.replace(" - 2026-12-01", ""), "is 1.2.0, that in"),
        ("# Changelog\n", "is none, that in"),
    ],
)
def test_a_changelog_without_the_version_is_refused(clone: Path, text: str, says: str) -> None:
    (clone / "CHANGELOG.md").write_text(text)
    commit(clone)
    done = called(clone)
    assert done.exit_code != 0 and says in done.output


def test_an_empty_heading_for_what_comes_next_is_no_matter() -> None:
    release.check_changelog(CHANGES.replace("## 1.2.0", "## Unreleased\n\n## 1.2.0"), "1.2.0")


def test_a_tool_that_fails_is_told_with_what_it_said() -> None:
    with pytest.raises(RetrainError, match=r"(?s)^`twine` failed:\n.*no-such-file"):
        release._run("twine", "check", "--strict", "no-such-file.whl")


def test_the_changelog_of_this_project_has_its_form() -> None:
    text = (Path(release.__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = release.HEADING.findall(text)
    assert headings[0] == "Unreleased" or headings[0].startswith(f"{release.version_of(release.ROOT)} - 2")
