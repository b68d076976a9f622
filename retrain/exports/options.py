"""The options that a model was asked for with, as `provenance.options` of its manifest has them."""

from collections.abc import Sequence
from dataclasses import asdict, fields

from retrain.backbones.backbone import Backbone, own_size
from retrain.photos.augmentation import Augmentation
from retrain.photos.division import Division
from retrain.training.recipe import HeadConfig
from retrain.training.trained import TrainedHead


def options_of(trained: TrainedHead, formats: Sequence[str]) -> dict[str, object]:
    """By the names of the command line, as plain JSON: what changes the model, without paths.

    What a run chose by itself, such as the number of folds, stands as if it had been asked for; of the rest only what
    is not the default. A split or a head that was given has no options.
    """
    bottlenecks = trained.bottlenecks
    backbone, limit = bottlenecks.backbone, bottlenecks.dataset.max_images_per_class
    return {
        "architecture": backbone.architecture,
        # So that another network takes its own size.
        **({} if backbone.input_size == own_size(backbone.architecture) else {"image_size": backbone.input_size}),
        **_of_random_weights(backbone),
        "precision": backbone.compute_dtype,
        "store_dtype": backbone.stored_dtype,
        **({} if limit is None else {"max_images_per_class": limit}),
        **({"accept_truncated": True} if bottlenecks.config.accept_truncated else {}),
        **_of_division(trained.division),
        **_of_views(trained),
        **({} if trained.asked is None else _of_head(trained.asked)),
        "formats": list(formats),
    }


def _of_random_weights(backbone: Backbone) -> dict[str, object]:
    if len(backbone.untrained) == len(backbone.parts or (backbone,)):
        return {"weights": "random"}
    return {"weights": [f"{name}=random" for name in backbone.untrained]} if backbone.untrained else {}


def _of_division(division: Division) -> dict[str, object]:
    if division.given:
        return {}
    folds, testing = division.number_of_folds, division.testing_percentage
    if folds and not testing:
        return {"folds": folds, "seed": division.seed}
    # Shares that left a class without test photos were asked for, too: the same folds come of them again.
    shares = {"testing_percentage": testing, "validation_percentage": division.validation_percentage}
    return {"folds": 0, **shares, "seed": division.seed}


def _of_views(trained: TrainedHead) -> dict[str, object]:
    asked, plain = trained.bottlenecks.asked_views, asdict(Augmentation())
    changed = {name: value for name, value in asdict(asked.augmentation).items() if value != plain[name]}
    views = {"views": len(trained.bottlenecks.view_ids)} if changed else {}
    return {**changed, **views, **({"tta": True} if trained.tta else {})}


def _of_head(asked: HeadConfig) -> dict[str, object]:
    plain = HeadConfig()
    changed = {field.name: getattr(asked, field.name) for field in fields(asked)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in changed.items()
        if value != getattr(plain, name)
    }
