"""The text of a preprocessing: what is parsed, how it is written back, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preprocessing_texts import texts

from label_image.errors import PreprocessingError
from label_image.preprocessing import Preprocessing

DEFAULT = "decode|orient|resize(299,bilinear)|value_range(-1,1)"


@given(texts)
def test_a_string_is_parsed_and_written_back(text: str) -> None:
    preprocessing = Preprocessing.parse(text)
    assert str(preprocessing) == text
    assert Preprocessing.parse(str(preprocessing)) == preprocessing


@given(texts, st.integers(1, 4096))
def test_with_size_changes_the_size_alone(text: str, size: int) -> None:
    changed = Preprocessing.parse(text).with_size(size)
    assert changed.size == size
    assert changed.arithmetic() == Preprocessing.parse(text).arithmetic()
    before = text[text.index("resize(") + len("resize(") :].partition(",")[0]
    assert str(changed) == text.replace(f"resize({before},", f"resize({size},")


@pytest.mark.parametrize(
    "text",
    [
        " decode | orient | resize( 299 , bilinear ) | value_range( -1 , +1 ) ",
        "decode()|orient()|resize(299,bilinear)|value_range(-1,1,)",
        "decode|orient|resize(0x12b,bilinear)|value_range(-1,1)",
    ],
)
def test_every_way_to_write_it_has_one_canonical_text(text: str) -> None:
    assert str(Preprocessing.parse(text)) == DEFAULT


REJECTED = [
    "",
    "|",
    "decode",
    "resize(299,bilinear)",
    "orient|decode|resize(299,bilinear)",
    "decode|resize(299,bilinear)|orient",
    "decode|decode|resize(299,bilinear)",
    "decode|orient|orient|resize(299,bilinear)",
    "decode|orient|resize(299,bilinear)|resize(299,bilinear)",
    "decode|orient|bgr|resize(299,bilinear)",
    "decode|value_range(-1,1)|orient|resize(299,bilinear)",
    "decode|orient|resize(299,bilinear)|",
    "decode|orient|resize(299,bilinear)||bgr",
    "decode|orient|resize(299,bilinear)|crop(3)",
    "decode(1)|orient|resize(299,bilinear)",
    "decode(9)|orient|resize(299,bilinear)",
    "decode(2.0)|orient|resize(299,bilinear)",
    "decode(2,2)|orient|resize(299,bilinear)",
    "decode(half)|orient|resize(299,bilinear)",
    "decode|orient(6)|resize(299,bilinear)",
    "decode|orient|resize",
    "decode|orient|resize()",
    "decode|orient|resize(299)",
    "decode|orient|resize(299,bilinear,1)",
    "decode|orient|resize(bilinear,299)",
    "decode|orient|resize(0,bilinear)",
    "decode|orient|resize(-299,bilinear)",
    "decode|orient|resize(4097,bilinear)",
    "decode|orient|resize(299.0,bilinear)",
    "decode|orient|resize(True,bilinear)",
    "decode|orient|resize(299,'bilinear')",
    "decode|orient|resize(299,area)",
    "decode|orient|resize(299,BILINEAR)",
    "decode|orient|resize(*[299],bilinear)",
    "decode|orient|resize(299,resample=bilinear)",
    "decode|orient|resize(299,[])",
    "decode|orient|resize(299,bilinear)|value_range",
    "decode|orient|resize(299,bilinear)|value_range(1)",
    "decode|orient|resize(299,bilinear)|value_range(0,1,2)",
    "decode|orient|resize(299,bilinear)|value_range(1,1)",
    "decode|orient|resize(299,bilinear)|value_range(1,-1)",
    "decode|orient|resize(299,bilinear)|value_range(low,high)",
    "decode|orient|resize(299,bilinear)|value_range(0,nan)",
    "decode|orient|resize(299,bilinear)|value_range(0,inf)",
    "decode|orient|resize(299,bilinear)|value_range(0,1e400)",
    "decode|orient|resize(299,bilinear)|value_range(-1e400,1)",
    "decode|orient|resize(299,bilinear)|value_range(-1e308,1e308)",
    "decode|orient|resize(299,bilinear)|value_range(0,1e300)",
    f"decode|orient|resize(299,bilinear)|value_range(0,1{'0' * 400})",
    f"decode|orient|resize(299,bilinear)|value_range(0,1{'0' * 5000})",
    "decode|orient|resize(299,bilinear)|value_range(0,1j)",
    "decode|orient|resize(299,bilinear)|value_range(0,1+1j)",
    "decode|orient|resize(299,bilinear)|value_range(0,True)",
    "decode|orient|resize(299,bilinear)|value_range(0,None)",
    "decode|orient|resize(299,bilinear)|value_range(0,'1')",
    "decode|orient|resize(299,bilinear)|value_range(0,2**3)",
    "decode|orient|resize(299,bilinear)|standardize(1,1,1)",
    "decode|orient|resize(299,bilinear)|standardize(0,0,0,1,1,0)",
    "decode|orient|resize(299,bilinear)|standardize(0,0,0,1,1,-1)",
    "decode|orient|resize(299,bilinear)|standardize(0,0,0,1,1,1e400)",
    "decode|orient|resize(299,bilinear)|standardize(0,0,0,1,1,1e-320)",
    "decode|orient|resize(299,bilinear)|standardize(0,0,0,1,1,1,1)",
    "decode|orient|resize(299,bilinear)|bgr(1)",
    "decode|orient|resize(299,bilinear)|1",
    "decode|orient|resize(299,bilinear)|x.bgr",
    "decode|orient|resize(299,bilinear)|x.bgr()",
    "decode|orient|resize(299,bilinear)|bgr()()",
    "decode|orient|resize(299,bilinear)|bgr;bgr",
    "decode|orient|resize(299,bilinear)|bgr\x00",
    "decode|orient|resize(299,bilinear)|bgr\ud800",
    "décode|orient|resize(299,bilinear)",
    f"decode|orient|resize(299,bilinear)|value_range(0,{'-' * 20_000}1)",
    f"decode|orient|resize(299,bilinear)|value_range(0,{'(' * 20_000}1{')' * 20_000})",
]


@pytest.mark.parametrize("text", REJECTED, ids=lambda text: ascii(text)[:75])
def test_what_the_grammar_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(PreprocessingError, match=r"^Preprocessing "):
        Preprocessing.parse(text)


@given(st.text(alphabet="decodresiz(),|1-.'x_ ", max_size=40) | st.text(max_size=40))
def test_random_text_is_parsed_or_refused(text: str) -> None:
    try:
        preprocessing = Preprocessing.parse(text)
    except PreprocessingError:
        return
    assert Preprocessing.parse(str(preprocessing)) == preprocessing


@pytest.mark.parametrize(
    "code",
    [
        "__import__('os').mkdir('made')",
        "open('made','w')",
        "value_range(0,__import__('os').mkdir('made') or 1)",
        "value_range(0,open('made','w'))",
        "standardize(0,0,0,1,1,[open('made','w') for _ in '1'])",
        "(lambda: open('made','w'))()",
        "bgr(made:=open('made','w'))",
        'value_range(0,f\'{open("made","w")}\')',
    ],
)
def test_code_is_never_run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in (f"decode|orient|resize(299,bilinear)|{code}", code):
        with pytest.raises(PreprocessingError):
            Preprocessing.parse(text)
    assert not list(tmp_path.iterdir())
