"""What the studio is asked to do that takes a while, each as a task of its working thread."""

import time
from dataclasses import replace

from retrain.core.errors import StudioError
from retrain.runs.more_photos import what_more_would_bring
from retrain.studio.examining import examine
from retrain.studio.known import Training, Work, labelled_files
from retrain.studio.studio import Studio
from retrain.studio.taking import take
from retrain.studio.telling import Telling
from retrain.studio.training import result, train
from retrain.studio.trying import prepare
from retrain.training.as_exported import as_exported


def ask_training(studio: Studio) -> None:
    """Train a head, and then find out what more photos would bring."""
    studio.ask(Work("train"), lambda telling: _train(studio, telling))


def ask_examination(studio: Studio) -> None:
    """Look for copies, wrong labels and the like."""
    studio.ask(Work("examine"), lambda telling: _examine(studio, telling))


def ask_export(studio: Studio, name: str) -> None:
    """Write the model in a format."""
    studio.ask(Work("export", name), lambda telling: _export(studio, name, telling))


def _train(studio: Studio, telling: Telling) -> None:
    seen = studio.all_seen(telling)
    began = time.perf_counter()
    trained = train(seen, studio.config, telling.training)
    seconds = time.perf_counter() - began
    training = Training(trained, result(trained, seen.listing, seconds))
    studio.taught(training)
    studio.ask(Work("more"), lambda telling: _more(studio, training, telling))


def _more(studio: Studio, training: Training, telling: Telling) -> None:
    prepare(training.trained.bottlenecks.backbone)  # whoever tries a photo next need not wait
    trained = as_exported(training.trained)  # may need the network, for which no training waits
    found = what_more_would_bring(training.trained, telling.at)
    if studio.known.training is training:  # else there is a newer one, which asks for its own
        studio.learn(training=replace(training, trained=trained, more=found.plain()))


def _examine(studio: Studio, telling: Telling) -> None:
    seen = studio.all_seen(telling)
    training = studio.known.training
    found = examine(seen, None if training is None else training.trained, studio.config, telling)
    studio.learn(examination=found, examined=labelled_files(seen.listing))


def _export(studio: Studio, name: str, telling: Telling) -> None:
    training = studio.known.training
    if training is None:
        raise StudioError("Train first: there is no model yet that could be written.")
    take(training.trained, studio.config, name, telling)
