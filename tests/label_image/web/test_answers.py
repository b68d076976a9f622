"""What the page makes of a model's numbers is what `label_image` makes of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_node import Node, module, node

from label_image.model import Model
from label_image.preprocessing import Preprocessing
from label_image.runtimes import Outputs, _dequantised

PAGE = Path(__file__).resolve().parents[3] / "label_image" / "web" / "page"
PHOTO = Preprocessing.parse("decode|orient|resize(1,bilinear)")
ANSWER = f"""
    const {{ dequantised, Steadied, verdictOf }} = await import({module(PAGE / "answers.js")});
    const {{ languageOf, speaker, shown }} = await import({module(PAGE / "words.js")});
    const {{ unreadable }} = await import({module(PAGE / "photos.js")});
    return ({{ what, values }}) => {{
        if (what === "verdict") return verdictOf(values.outputs, values.labels, values.threshold);
        if (what === "dequantised") return Array.from(dequantised(values.tensor, values));
        if (what === "language") return languageOf(values);
        if (what === "said") return speaker(values.language)(values.key, values.values);
        if (what === "shown") return shown(values);
        const steadied = new Steadied();
        return values.map(({{ outputs, now }}) => {{
            const {{ scores, similarity }} = steadied.with(outputs, now);
            return {{ scores: Array.from(scores), similarity }};
        }});
    }};
"""
share = st.floats(0, 1, width=32)
similarity = st.floats(-1, 1, width=32)


@pytest.fixture(scope="module")
def answer() -> Iterator[Node]:
    with node(ANSWER) as found:
        yield found


@given(
    scores=st.lists(st.sampled_from([0.0, 0.125, 0.25, 0.5]) | share, min_size=1, max_size=8),
    similar=similarity | st.none(),
    threshold=st.floats(-2, 2) | similarity | st.none(),
)
def test_the_verdict_is_that_of_label_image(
    answer: Node, scores: list[float], similar: float | None, threshold: float | None
) -> None:
    labels = tuple(map(str, range(len(scores))))
    outputs = Outputs(np.array([scores], np.float32), None if similar is None else np.array([similar], np.float32))
    model = Model(labels, PHOTO, lambda pixels: outputs, threshold)
    refused = model.refuses(outputs)
    best = np.argsort(-outputs.probabilities[0], kind="stable")[:3]
    said = answer(
        what="verdict",
        values={"outputs": {"scores": scores, "similarity": similar}, "labels": labels, "threshold": threshold},
    )
    assert [each["label"] for each in said["top"]] == [labels[index] for index in best]
    assert [each["probability"] for each in said["top"]] == [scores[index] for index in best]
    assert said["unknown"] == (refused is not None and bool(refused[0]))


@given(scale=st.floats(2**-20, 2, width=32), zero=st.integers(0, 255))
def test_bytes_stand_for_the_same_numbers(answer: Node, scale: float, zero: int) -> None:
    tensor = np.arange(256, dtype=np.uint8)
    expected = _dequantised(tensor, {"quantization": (scale, zero)})
    said = answer(
        what="dequantised", values={"tensor": tensor.tolist(), "scale": float(np.float32(scale)), "zero": zero}
    )
    assert np.array_equal(np.array(said, np.float32), expected)


def test_frames_are_steadied_and_old_ones_forgotten(answer: Node) -> None:
    one, other = {"scores": [1, 0], "similarity": 1}, {"scores": [0, 1], "similarity": 0}
    frames = [{"outputs": one, "now": 0}, {"outputs": other, "now": 33}, {"outputs": other, "now": 5000}]
    first, second, third = answer(what="steadied", values=frames)
    assert first == one
    assert 0.4 < second["scores"][0] < 0.5 and 0.4 < second["similarity"] < 0.5
    assert third["scores"][0] < 0.001 and third["similarity"] < 0.001


def test_it_speaks_the_first_language_of_the_reader_that_it_knows(answer: Node) -> None:
    preferred = {("pt-BR", "en"): "pt", ("de", "PT", "en"): "pt", ("en-GB",): "en", ("de",): "en", (): "en"}
    assert {each: answer(what="language", values=list(each)) for each in preferred} == preferred


def test_what_is_in_braces_is_filled_in(answer: Node) -> None:
    values = {"names": "a, {count}", "count": "9"}
    assert answer(what="said", values={"language": "pt", "key": "more", "values": values}) == "a, {count} e mais 9"
    assert answer(what="shown", values="Maine_Coon_") == "Maine Coon "
    assert answer(what="shown", values="\u2069\u202etac") == "tac"  # it would turn what stands behind it, too
