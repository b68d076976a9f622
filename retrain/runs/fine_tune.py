"""Fine-tuning as a step of a run: a second model from the first, and the better of the two."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from retrain.backbones.backbone import Backbone
from retrain.bottlenecks.extraction import Extraction
from retrain.core.blas import threads_for
from retrain.core.errors import DatasetError
from retrain.photos.split import Division
from retrain.runs.train import Model, Options, Screen
from retrain.training.fitting.sample import Matrix
from retrain.training.on_photos.choice import Candidate, best_candidate, choice_json, describe_choice
from retrain.training.on_photos.fine_tune import fine_tune
from retrain.training.train_head import origin_digest, recipe_of, train_head

WEIGHTS = "fine_tuned"  # folder of the tuned weights, in `--model_dir`


def fine_tune_and_choose(
    model: Model,
    division: Division,
    labels: tuple[str, ...],
    embed: Callable[[Backbone], tuple[Extraction, Matrix]],
    origin: Mapping[str, object],
    options: Options,
    screen: Screen,
) -> tuple[Model, dict[str, object]]:
    """Fine-tune the model, fit a head to the tuned backbone, and keep the better one by validation.

    `embed` gives the bottlenecks of the run's photos, `origin` says where its training comes from.
    Returns the model, and what the manifest says of it.
    """
    assert options.fine_tune_layers is not None
    # A folder for each kind of run: the same command goes on with its own training, another begins one.
    begun = options.model_dir / WEIGHTS / f"begun-{origin_digest(origin, str(options.fine_tune_layers))}"
    tuned = fine_tune(
        model.backbone,
        # The training ends on validation photos, which this head has not seen.
        model.trained.validated_head or model.trained.fit.head,
        model.extraction.photos,
        labels,
        division,
        options.fine_tune_layers,
        weights_dir=options.model_dir / WEIGHTS,
        seed=options.seed,
        checkpoint_dir=begun,
        origin={"head": str(recipe_of(options).identity())},
        observe=partial(screen.epoch, "Fine-tuning"),
    )
    screen.finish()
    if not tuned.changed:
        shutil.rmtree(begun, ignore_errors=True)
        screen.say("Fine-tuning diverged at once: the model is kept as it was.")
        return model, {"fine_tuning": {**tuned.description(), "kept": "the model before fine-tuning"}}
    extraction, views = embed(tuned.backbone)
    if extraction.photos != model.extraction.photos:
        raise DatasetError("Photos changed during the fine-tuning: run the same command again.")
    with threads_for(views.size):
        trained = train_head(extraction, division, labels, options, screen.training, views=views)
    screen.finish()
    # Not before: stopped in between, the same command need not train again.
    shutil.rmtree(begun, ignore_errors=True)
    models = (model, Model(tuned.backbone, replace(extraction, computed=model.extraction.computed), trained))
    candidates = [
        Candidate(name, one.backbone, one.trained.fit, one.trained.validation, one.trained.test)
        for name, one in zip(("the model before fine-tuning", "the fine-tuned model"), models, strict=True)
    ]
    chosen = best_candidate(candidates)
    for line in describe_choice(candidates, chosen).splitlines():
        screen.say(line)
    return models[chosen], {"fine_tuning": {**tuned.description(), **choice_json(candidates, chosen)}}
