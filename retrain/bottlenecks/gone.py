"""What to say where photos are gone and the store has no bottlenecks of them: of which kind it has some."""

from collections import Counter
from collections.abc import Iterator, Mapping, Set

import pyarrow as pa
import pyarrow.compute as pc

from retrain.backbones.backbone import Backbone
from retrain.bottlenecks.store import Store, fingerprint
from retrain.bottlenecks.store_folders import store_folders
from retrain.core.defaults import STORE_DTYPES
from retrain.core.errors import DatasetError
from retrain.core.places import Place
from retrain.photos.views import ORIGINAL_ID

MOST = 4  # kinds of bottlenecks that are named


def lacking(sha256s: Set[str], view: str, backbone: Backbone, store: Store) -> DatasetError:
    """The error for photos of which there is neither a file nor a bottleneck of this view by this backbone."""
    which = f"{len(sha256s):,} of the photos are gone" if len(sha256s) > 1 else "One of the photos is gone"
    seen = "" if view == ORIGINAL_ID else f" of their views {view.partition('#')[0]}"
    bottleneck_dir = store.bottleneck_dir
    how = f"{backbone.architecture}, {backbone.input_size} px, {backbone.compute_dtype}"
    sentence = f"{which}, and {bottleneck_dir} holds no bottlenecks{seen} for them by {how}"
    if store.fingerprint != fingerprint(backbone.covers()):
        sentence += " that agree with what this machine computes"
    kinds = _kinds(sha256s, backbone, bottleneck_dir)
    advice = "" if view == ORIGINAL_ID else f" Or leave {_augmentation(view)} out: without views no pixels are needed."
    if not kinds:
        return DatasetError(
            f"{sentence}, nor by any other network: give `bottleneck_dir` of the run that computed them, or the photos "
            f"themselves, to a training with `add_images`.{advice}"
        )
    shown = "; ".join(
        f"{'all' if number == len(sha256s) else f'{number:,}'} by {kind}" for kind, number in kinds.most_common(MOST)
    )
    return DatasetError(
        f"{sentence}. It has {shown}. Ask for one of these, or give the photos themselves, to a training with "
        f"`add_images`.{advice}"
    )


def _augmentation(view: str) -> str:
    """The options that a view comes from, as in `flip|crop(10)#3`."""
    names = {"flip": "flip_left_right"}
    steps = [step.partition("(")[0] for step in view.partition("#")[0].split("|")]
    return " and ".join(f"`{names.get(step, f'random_{step}')}`" for step in steps)


def has_other_environments(bottleneck_dir: Place, backbone: Backbone) -> bool:
    """Whether there are bottlenecks by a backbone whose numbers differ from those that a store had first."""
    try:
        return fingerprint({**backbone.covers(), "environment": 1}) in bottleneck_dir.folders()
    except FileNotFoundError:
        return False


def _kinds(sha256s: Set[str], backbone: Backbone, bottleneck_dir: Place) -> Counter[str]:
    """How many of the photos have bottlenecks, by the options that ask for them."""
    wanted = pa.array(sorted(sha256s), pa.string())
    found: Counter[str] = Counter()
    for folder in store_folders(bottleneck_dir):
        if folder.description is None:
            continue
        keys = folder.read_keys().table
        keys = keys.filter(pc.is_in(keys["photo_sha256"], value_set=wanted))
        counts = {
            kept: pc.count_distinct(keys.filter(pc.equal(keys["view"], kept))["photo_sha256"]).as_py()
            for kept in pc.unique(keys["view"]).to_pylist()
        }
        for augmentation in {kept.partition("#")[0] for kept in counts}:
            of_views = [number for kept, number in counts.items() if kept.partition("#")[0] == augmentation]
            views = "" if augmentation == ORIGINAL_ID else f"{1 + of_views.count(max(of_views))} views {augmentation}"
            kind = ", ".join(_options(folder.description.covers, views, backbone))
            found[kind] = max(found[kind], *of_views)
    return found


def _options(covers: Mapping[str, object], views: str, backbone: Backbone) -> Iterator[str]:
    architecture, size = covers.get("architecture"), covers.get("input_size")
    yield f"`architecture` {architecture}"
    yield f"`image_size` {size}"
    yield f"`precision` {covers.get('compute_dtype')}"
    if covers.get("stored_dtype") != STORE_DTYPES[0]:
        yield f"`store_dtype` {covers.get('stored_dtype')}"
    if architecture == backbone.architecture and covers.get("weights_sha256") != backbone.weights_sha256:
        yield f"other `weights` (SHA-256 {str(covers.get('weights_sha256'))[:12]}…)"
    ours = backbone.covers()
    if covers != ours and {**covers, "calibrated": ours.get("calibrated")} == ours:
        yield f"calibrated on other photos (SHA-256 {str(covers.get('calibrated'))[:12]}…)"
    if "environment" in covers:
        yield "computed on another machine"
    if views:
        yield views
