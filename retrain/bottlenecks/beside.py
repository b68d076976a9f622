"""What a store keeps beside the folder of a fingerprint. The folder itself holds shards alone: so it is a table.

    <fingerprint>.json          what the fingerprint covers (`retrain.bottlenecks.fingerprint_file`)
    damaged/<fingerprint>/      shards that did not match their names, each as <name>.damaged

Arrow, pandas, Polars and DuckDB read a folder of Parquet files as one table; Polars and DuckDB take every file in it
for one, hidden ones, too. Versions before 29 November 2026 kept both inside, and may still work on the same store: what
they leave there is moved out, and read where it cannot be.
"""

from collections.abc import Iterable
from contextlib import suppress

from retrain.core.errors import StoreError
from retrain.core.places import Place

INSIDE = "fingerprint.json"  # as the description was called within the folder
FOLDER = "damaged"
SUFFIX = ".damaged"


def description_name(fingerprint: str) -> str:
    """The file in the store that says what a fingerprint covers."""
    return f"{fingerprint}.json"


def damaged_of(store: Place, fingerprint: str) -> Place:
    """Where shards of a fingerprint go that cannot be trusted."""
    return store.below(FOLDER).below(fingerprint)


def move_out(store: Place, fingerprint: str, names: Iterable[str]) -> None:
    """Move what other versions left in the folder of a fingerprint, of these files, to beside it; where that may be."""
    folder = store.below(fingerprint)
    with suppress(OSError, StoreError):
        for name in names:
            if name == INSIDE and store.read_beginning(description_name(fingerprint), 1):
                folder.remove(name)
            elif name.endswith(SUFFIX):
                folder.set_aside(name, damaged_of(store, fingerprint))
