"""How accurate a head on colour histograms alone is, with the split and the head of `retrain`.

Question: how far do colours get? A backbone that is not clearly better has learnt nothing but colours.
Result (README.md): 41 % on the demo drawings, whose coats share their colours on purpose, where the default network
names all 17 test drawings right.

    python -m research.colour_baseline tf_files/demo_cats
"""

from pathlib import Path

import click
import numpy as np

from label_image.errors import PhotoError
from label_image.files import sha256_of_bytes
from label_image.preprocessing import Preprocessing, read_photo
from retrain.insight.doctor.measures import colour_histograms
from retrain.photos.classes import class_indices
from retrain.photos.dataset import Photo
from retrain.photos.opening import list_photos
from retrain.photos.split import split_photos
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.head import Sample
from retrain.training.metrics import measure

PREPROCESSING = Preprocessing.parse("decode|orient|resize(64,bilinear)|value_range(0,1)")


@click.command()
@click.argument("image_dir", type=click.Path(path_type=Path, exists=True))
@click.option("--seed", default=0, show_default=True, help="Of the split, as in `retrain`.")
def main(image_dir: Path, seed: int) -> None:
    """Print the test accuracy that colour histograms reach on IMAGE_DIR."""
    photos, rows = [], []
    for file in list_photos(image_dir).files:
        try:
            data = read_photo(file.path)
            rows.append(colour_histograms(PREPROCESSING.pixels(data)[np.newaxis])[0])
        except PhotoError:
            continue  # `retrain` lists these; here they are only left out
        photos.append(Photo(file.path, file.label, sha256_of_bytes(data), file.split))
    labels = sorted({photo.label for photo in photos})
    everything = Sample(np.stack(rows), class_indices(photos, labels))
    splits = np.array(split_photos(photos, seed=seed).splits)
    training, validation, testing = (
        Sample(everything.bottlenecks[splits == side], everything.classes[splits == side])
        for side in ("training", "validation", "testing")
    )
    fit = fit_to_convergence(training, validation, len(labels))
    metrics = measure(fit.head.probabilities(testing.bottlenecks), testing.classes, labels)
    click.echo(f"colour histogram: {metrics.headline()}")


if __name__ == "__main__":
    main()
