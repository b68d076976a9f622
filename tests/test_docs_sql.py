"""What the documentation says in DuckDB is true: of a table of bottlenecks, and of a store as it lies."""

import re
from pathlib import Path

import duckdb
import pytest
from extracting import class_folders

from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.photos import hashes
from retrain.runs.embedding import EmbeddingConfig
from retrain.runs.features import FeaturesConfig, run_features

DOCS = Path(__file__).resolve().parents[1] / "docs"
FINGERPRINT = "46c23d50b3d2"  # of the example


@pytest.fixture
def fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The fingerprint of a store where the pages have one, with a table of its photos beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hashes, "RACY_NS", -(10**12))  # photos of a moment ago are remembered
    cats = class_folders(tmp_path / "cats", 6)
    photos = EmbeddingConfig((cats,), BackboneConfig("fake"), ExtractionConfig("tf_files/bottlenecks"))
    return run_features(FeaturesConfig(photos, Path("cats.parquet"))).extraction.fingerprint


def rows(query: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()


def blocks(page: str) -> list[str]:
    return re.findall(r"^```sql\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.M | re.S)


def test_the_store_is_a_table(fingerprint: str) -> None:
    (line,) = re.findall(r"^\| DuckDB \| `(.*)` \|$", (DOCS / "store.md").read_text(encoding="utf-8"), re.M)
    assert len(rows(line.replace(FINGERPRINT, fingerprint[:12]))) == 6
    everything = rows(f"SELECT DISTINCT photo_sha256 FROM read_parquet('tf_files/bottlenecks/{fingerprint}/*')")
    assert len(everything) == 9, "the probe's, too"


def test_paths_and_bottlenecks_are_joined(fingerprint: str) -> None:
    (query,) = blocks("store.md")
    found = rows(query.replace(FINGERPRINT, fingerprint[:12]))
    table = rows("SELECT path, bottleneck FROM 'cats.parquet'")
    assert {path: list(vector) for path, vector in found} == {path: list(vector) for path, vector in table}  # type: ignore[call-overload]
    assert len(found) == 6


@pytest.mark.usefixtures("fingerprint")
def test_the_table_of_features_is_asked() -> None:
    (query,) = blocks("features.md")
    assert [(label, photos) for label, photos, _ in rows(query)] == [("a", 3), ("b", 3)]
