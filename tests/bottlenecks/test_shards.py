from pathlib import Path

import numpy as np
import pytest
from shard_files import open_shard, write_shard

from retrain.bottlenecks.shards import (
    Key,
    KeyIndex,
    bottleneck_schema,
    bottleneck_table,
    key_table,
    opened_ahead,
    vector_array,
)
from retrain.core.sealed import Shard


def test_row_groups_are_a_few_megabytes(tmp_path: Path) -> None:
    rows, dim = 6000, 300
    keys = key_table([Key(f"{number:064x}") for number in range(rows)])
    vectors = np.arange(rows * dim, dtype=np.float32).reshape(rows, dim)
    schema = bottleneck_schema(dim, vectors.dtype)
    table = bottleneck_table(keys, vectors, schema)
    shard = open_shard(write_shard(tmp_path, table))
    groups = list(shard.row_groups())
    assert len(groups) == 2 and groups[0][1] == 0 and groups[-1][2] == rows
    group, start, stop = groups[1]
    assert np.array_equal(vector_array(shard.read_row_group(group)), vectors[start:stop])


def test_the_key_index_finds_every_pair() -> None:
    a, b, c = "a" * 64, "b" * 64, "c" * 64
    index = KeyIndex(key_table([Key(b), Key(a), Key(b), Key(b, "flipped")]))
    asked = key_table([Key(c), Key(b), Key(a, "flipped"), Key(b, "flipped"), Key(a)])
    rows, places = index.find(asked)
    assert list(zip(rows.tolist(), places.tolist(), strict=True)) == [
        (1, 0),
        (1, 2),
        (3, 3),
        (4, 1),
    ]
    assert index.find(asked.slice(3))[1].tolist() == [3, 1]
    assert KeyIndex(asked.slice(1, 1)).find(key_table([Key(b)]))[1].tolist() == [0]
    nothing = KeyIndex(key_table([])).find(key_table([Key(a)]))
    assert [len(found) for found in nothing] == [0, 0]
    assert [len(found) for found in index.find(key_table([]))] == [0, 0]


@pytest.mark.parametrize("wrong", ["", "a" * 63, "A" * 64, "a" * 64 + "\n", "g" * 64])
def test_a_key_is_64_hex_digits(wrong: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        key_table([Key("a" * 64), Key(wrong)])


@pytest.mark.parametrize("count", [0, 1, 4])
def test_shards_are_opened_in_their_order_and_no_more_ahead_than_asked_for(count: int) -> None:
    opened: list[str] = []
    names = [str(number) for number in range(9)]
    found = opened_ahead(names, lambda name: opened.append(name) or name, count)  # type: ignore[arg-type, return-value]
    for position, (name, result) in enumerate(found):
        assert len(opened) <= position + 1 + count
        assert (name, result()) == (names[position], names[position])
    assert sorted(opened) == names


def test_what_goes_wrong_ahead_is_raised_at_its_turn() -> None:
    def missing(name: str) -> Shard:
        raise FileNotFoundError(name)

    for name, result in opened_ahead(["a", "b"], missing, 2):
        with pytest.raises(FileNotFoundError, match=name):
            result()
