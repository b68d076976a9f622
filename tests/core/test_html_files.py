import errno
import os
from pathlib import Path

import pytest

from label_image import files
from retrain.cli.main import main
from retrain.core.errors import ExportError, OptionError
from retrain.core.html_files import GENERATOR, check_page, write_page
from retrain.core.outputs import check_folder
from retrain.insight.doctor.written import check_output_dir
from retrain.insight.reporting import ReportConfig

OURS = f"<!doctype html><head>{GENERATOR}</head>"


@pytest.mark.parametrize("name", ["thesis.docx", "photo.jpg", "report", "report.html.zip", ".html"])
def test_a_page_has_the_name_of_a_page(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match=r"--report .* must end in \.html"):
        check_page(tmp_path / name, "--report")


@pytest.mark.parametrize("name", ["report.html", "Report.HTM", "new/folder/report.html"])
def test_what_is_not_there_yet_may_be_written_and_is_not_made(tmp_path: Path, name: str) -> None:
    check_page(tmp_path / name, "--report")
    assert list(tmp_path.iterdir()) == []


def test_only_a_page_of_ours_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(OURS)
    check_page(path, "--report")
    write_page(path, f"{OURS} again", "--report")
    assert path.read_text() == f"{OURS} again"
    for foreign in ("", "<!doctype html><title>My thesis</title>", "x" * 3000 + OURS):
        path.write_text(foreign)
        with pytest.raises(OptionError, match=r"--report .* not a page of this project"):
            check_page(path, "--report")
        with pytest.raises(ExportError, match=r"--report .* not a page of this project"):
            write_page(path, OURS, "--report")
        assert path.read_text() == foreign
    assert [found.name for found in tmp_path.iterdir()] == ["page.html"]


def test_folders_links_to_nowhere_and_pipes_are_no_pages(tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "link.html").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.html")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(OptionError, match="not a page of this project"):
            check_page(path, "--report")


def test_a_place_that_no_folder_can_be_made_in_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "link").symlink_to("nowhere")
    for folder in (tmp_path / "file" / "below", tmp_path / "link", tmp_path / "link" / "below"):
        with pytest.raises(ExportError, match=r"--report .* is not a folder"):
            check_folder(folder, "--report")
    check_folder(tmp_path / "new" / "below", "--report")

    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, f"not in {folder.name}")

    monkeypatch.setattr(files, "temporary_folder", refuse)
    with pytest.raises(ExportError, match=rf"--report .* nothing may be written in .*\(not in {tmp_path.name}\)"):
        check_folder(tmp_path / "new" / "below", "--report")


def test_a_run_refuses_its_report_and_summaries_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for wrong in ({"report": tmp_path / "thesis.docx"}, {"report": tmp_path / "file" / "report.html"},
                  {"summaries_dir": tmp_path / "file"}, {"summaries_dir": tmp_path / "file" / "below"}):  # fmt: skip
        (option,) = wrong
        with pytest.raises((OptionError, ExportError), match=f"`{option}`"):
            ReportConfig(**wrong).check()


def test_a_thesis_is_kept_and_the_exit_code_is_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("thesis.docx", "thesis.html"):
        Path(name).write_text("three years of work")
        with pytest.raises(SystemExit) as leave:
            main(["--image_dir", "photos", "--report", name])
        assert leave.value.code == 2
        assert f"--report {name}" in " ".join(capsys.readouterr().err.split())
        assert Path(name).read_text() == "three years of work"


def test_the_doctor_refuses_another_page_and_a_place_it_cannot_write_to(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    check_output_dir(tmp_path / "doctor", photos)
    (tmp_path / "doctor").mkdir()
    (tmp_path / "doctor" / "doctor.html").write_text("my doctor's opening hours")
    with pytest.raises(OptionError, match=r"`output_dir` .* not a page of this project"):
        check_output_dir(tmp_path / "doctor", photos)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ExportError, match="`output_dir`"):
        check_output_dir(tmp_path / "file" / "below", photos)
