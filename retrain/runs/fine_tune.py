"""Fine-tuning as a step of a run: a second model from the first, and the better of the two."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from retrain.backbones.backbone import Backbone
from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.core.blas import one_thread
from retrain.core.errors import DatasetError
from retrain.core.progress import Progress
from retrain.training.on_photos.choice import (
    FINE_TUNED,
    NOT_TUNED,
    Candidate,
    best_candidate,
    choice_json,
    describe_choice,
)
from retrain.training.on_photos.fine_tune import RECIPE, fine_tune
from retrain.training.on_photos.keras_training import TrainingConfig
from retrain.training.on_photos.sides import DividedPhotos
from retrain.training.recipe import HeadConfig, choose_recipe
from retrain.training.train_head import origin_digest, train_head
from retrain.training.trained import TrainedHead

WEIGHTS = "fine_tuned"  # folder of the tuned weights, in `--model_dir`


@dataclass(frozen=True)
class FineTuning:
    """How many layers learn, where tuned weights are kept, and how the head on top of them is trained."""

    layers: int | Literal["all"]
    model_dir: Path
    head: HeadConfig = HeadConfig()
    tta: bool = False


def fine_tune_and_choose(
    trained: TrainedHead,
    asked: FineTuning,
    origin: Mapping[str, object],
    embed: Callable[[Backbone], Bottlenecks],
    progress: Progress,
) -> tuple[TrainedHead, dict[str, object]]:
    """Fine-tune the model, fit a head to the tuned backbone, and keep the better one by validation.

    `embed` gives the bottlenecks of the run's photos, `origin` says where its training comes from.
    Returns the model, and what the manifest says of it.
    """
    bottlenecks, division = trained.bottlenecks, trained.division
    # A folder for each kind of run: the same command goes on with its own training, another begins one.
    begun = asked.model_dir / WEIGHTS / f"begun-{origin_digest(origin, str(asked.layers))}"
    tuned = fine_tune(
        bottlenecks.backbone,
        # The training ends on validation photos, which this head has not seen.
        trained.validated_head or trained.head,
        DividedPhotos(bottlenecks.photos, trained.labels, division),
        asked.layers,
        weights_dir=asked.model_dir / WEIGHTS,
        config=TrainingConfig(
            RECIPE,
            seed=division.seed,
            checkpoint_dir=begun,
            origin={"head": str(choose_recipe(asked.head, division.seed).identity())},
        ),
        observe=partial(progress.epoch, "Fine-tuning"),
    )
    progress.finish()
    about = {"asked": asked.layers, **tuned.description()}
    if not tuned.changed:
        shutil.rmtree(begun, ignore_errors=True)
        progress.say("Fine-tuning diverged at once: the model is kept as it was.")
        return trained, {"fine_tuning": {**about, "kept": NOT_TUNED}}
    again = embed(tuned.backbone)
    if again.photos != bottlenecks.photos:
        raise DatasetError("Photos changed during the fine-tuning: run the same command again.")
    # What was computed is what this run computed first.
    again = replace(again, extraction=replace(again.extraction, computed=bottlenecks.extraction.computed))
    with one_thread():
        after = train_head(again, division, asked.head, asked.tta, progress.training)
    progress.finish()
    # Not before: stopped in between, the same command need not train again.
    shutil.rmtree(begun, ignore_errors=True)
    models = (trained, after)
    candidates = [
        Candidate(name, one.bottlenecks.backbone, one.fit, one.validation, one.test)
        for name, one in zip((NOT_TUNED, FINE_TUNED), models, strict=True)
    ]
    chosen = best_candidate(candidates)
    for line in describe_choice(candidates, chosen).splitlines():
        progress.say(line)
    return models[chosen], {"fine_tuning": {**about, **choice_json(candidates, chosen)}}
