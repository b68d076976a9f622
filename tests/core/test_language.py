"""Sentences and numbers in the language of a context."""

import subprocess
import sys
import threading
from datetime import datetime

import pytest

from retrain.core import language
from retrain.core.errors import OptionError
from retrain.core.language import (
    figure,
    in_language,
    language_now,
    language_of_user,
    message,
    message_count,
    moment,
    translated,
    translated_count,
)

NOON = datetime(2026, 11, 28, 12, 5)


def test_english_is_what_python_makes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_catalogue", lambda name: pytest.fail("there is none of English"))
    assert (
        translated("{photos:,} photos of {classes:,} classes.", photos=1234, classes=3) == "1,234 photos of 3 classes."
    )
    assert translated("Keep") == "Keep" and translated("") == ""
    assert [translated_count("{count} photo", "{count} photos", n) for n in (0, 1, 2)] == [
        "0 photos", "1 photo", "2 photos"
    ]  # fmt: skip
    assert (figure(1234.5, ",.2f"), figure(0.895, ".1%"), moment(NOON)) == ("1,234.50", "89.5%", "2026-11-28 12:05")


def test_portuguese() -> None:
    with in_language("pt"):
        assert language_now() == "pt"
        assert translated("{photos:,} photos of {classes:,} classes.", photos=1234, classes=3) == (
            "1.234 fotos de 3 classes."
        )
        assert [translated_count("{count} photo", "{count} photos", n) for n in (0, 1, 2)] == [
            "0 foto", "1 foto", "2 fotos"
        ]  # fmt: skip
        assert (figure(1234.5, ",.2f"), figure(0.895, ".1%")) == ("1.234,50", "89,5%")
        assert (figure(-0.0123, "+.4f"), figure(1e-6, ".1e"), figure(12)) == ("-0,0123", "1,0e-06", "12")
        assert moment(NOON) == "28/11/2026 12:05"
        assert translated("a sentence that nobody wrote, {n:,}", n=1000) == "a sentence that nobody wrote, 1.000"
        assert translated("") == ""
    assert language_now() == "en" and translated("Keep") == "Keep"


def test_a_message_is_said_in_the_language_in_which_it_is_asked_for() -> None:
    few = message("{label} has {number}: too few for figures that can be trusted.", label="a",
                  number=message_count("{count} photo", "{count} photos", 1))  # fmt: skip
    assert str(few) == "a has 1 photo: too few for figures that can be trusted."
    with in_language("pt"):
        assert str(few) == "a tem 1 foto: poucas para números confiáveis."
    assert hash(few) == hash(few) and few == few


def test_values_are_not_read_as_sentences() -> None:
    with in_language("pt"):
        assert translated("Relabel as {label}", label="{x} 1,234.5 %(n)s Keep") == "Mudar para {x} 1,234.5 %(n)s Keep"


def test_languages_of_threads_do_not_meet() -> None:
    heard: list[str] = []
    with in_language("pt"):
        thread = threading.Thread(target=lambda: heard.append(translated("Keep")))
        thread.start()
        thread.join()
    assert heard == ["Keep"]


def test_a_language_ends_with_its_context_whatever_happens() -> None:
    with pytest.raises(ZeroDivisionError), in_language("pt"):
        _ = 1 / 0
    assert language_now() == "en"
    with pytest.raises(OptionError, match="`lang` 'tlh' is not known; choose from en, pt"), in_language("tlh"):
        pass


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "pt_BR.UTF-8"}, "pt"),
        ({"LANG": "pt_PT"}, "pt"),
        ({"LANG": "pt.UTF-8"}, "pt"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "pt_BR.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "pt_BR.UTF-8"}, "pt"),
        ({"LANG": "pt_BR.UTF-8", "LC_ALL": ""}, "pt"),
        ({"LANG": "de_DE.UTF-8", "LANGUAGE": "de:pt_BR:en"}, "pt"),
        ({"LANG": "pt_BR.UTF-8", "LANGUAGE": "en"}, "en"),
        ({"LANG": "C.UTF-8", "LANGUAGE": "pt"}, "en"),
        ({"LANG": "pt_BR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "portunhol"}, "en"),
    ],
)
def test_language_of_the_user(environment: dict[str, str], expected: str) -> None:
    assert language_of_user(environment) == expected


def test_english_loads_no_babel_and_portuguese_does() -> None:
    code = (
        "import sys; from retrain.core.language import *; from datetime import datetime\n"
        "with in_language(sys.argv[1]): translated('Keep'), figure(1.5, ',.1f'), moment(datetime.now())\n"
        "print(any(name.partition('.')[0] == 'babel' for name in sys.modules))"
    )
    for name, expected in (("en", "False"), ("pt", "True")):
        done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
