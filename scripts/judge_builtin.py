"""Judge backbones as `retrain` would use them: a linear head on their pooled features of labelled photos.

For every network and data set: the mean accuracy over random 80/10/10 splits (training, validation to choose the
head's L2, test) with a 95 % interval. Exact duplicates are left out. ``--speed`` also measures extraction and the size
of the exported models with a head of 12 classes.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageOps
from scipy.optimize import minimize
from scipy.stats import t as student_t
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from retrain.builtin import network
from retrain.networks.keras import keras
from retrain.networks.tensorflow import tf

L2 = (0.3, 0.1, 0.03, 0.01, 0.003)


def read_labelled(folder: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Photos of ``folder``'s classes, uint8 [n, size, size, 3], and their classes, int [n]; each content once."""
    images, labels, seen = [], [], set()
    for label, class_folder in enumerate(sorted(path for path in folder.iterdir() if path.is_dir())):
        for path in sorted(class_folder.iterdir()):
            data = path.read_bytes()
            digest = hashlib.sha256(data).digest()
            if digest in seen:
                continue
            seen.add(digest)
            image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
            images.append(np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)))
            labels.append(label)
    return np.stack(images), np.array(labels)


def extractor(backbone: keras.Model, bfloat16: bool) -> Callable[[np.ndarray], np.ndarray]:
    """The frozen graph of ``backbone`` as a function of uint8 images."""
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": bfloat16})
    signature = tf.TensorSpec([None, *backbone.input_shape[1:]], tf.uint8)
    call = tf.function(lambda images: backbone(tf.cast(images, tf.float32) / 127.5 - 1, training=False))
    frozen = convert_variables_to_constants_v2(call.get_concrete_function(signature))
    return lambda images: frozen(tf.constant(images))[0].numpy()


def features_of(extract: Callable, images: np.ndarray, batch: int = 64) -> np.ndarray:
    """float32 [n, features]"""
    return np.concatenate([extract(images[start : start + batch]) for start in range(0, len(images), batch)])


def fit_head(features: np.ndarray, labels: np.ndarray, l2: float, start: np.ndarray) -> np.ndarray:
    """Softmax regression with a bias by L-BFGS; ``features`` float32 [n, d + 1] with a column of ones last."""
    wanted = np.eye(start.shape[1], dtype="float32")[labels]
    penalised = np.ones((start.shape[0], 1))
    penalised[-1] = 0

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        kernel = flat.reshape(start.shape)
        logits = features @ kernel.astype("float32")
        logits -= logits.max(axis=1, keepdims=True)
        likelihood = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        gradient = features.T @ (np.exp(likelihood) - wanted) / len(labels) + l2 * penalised * kernel
        value = -(wanted * likelihood).sum() / len(labels) + l2 / 2 * (penalised * kernel**2).sum()
        return float(value), gradient.ravel().astype("float64")

    return minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 60}).x.reshape(start.shape)


def accuracy_of_split(features: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Test accuracy of one random 80/10/10 split; the L2 is the one best on the validation part."""
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = np.split(order, [int(0.8 * len(order)), int(0.9 * len(order))])
    mean, scale = features[parts[0]].mean(axis=0), features[parts[0]].std(axis=0) + 1e-6
    standard = np.concatenate([(features - mean) / scale, np.ones((len(labels), 1))], axis=1).astype("float32")
    kernel = np.zeros((standard.shape[1], labels.max() + 1))
    best = (-1.0, 0.0)
    for l2 in L2:  # from strong to weak, each starting from the last
        kernel = fit_head(standard[parts[0]], labels[parts[0]], l2, kernel)
        right = np.argmax(standard @ kernel, axis=1) == labels
        best = max(best, (right[parts[1]].mean(), right[parts[2]].mean()), key=lambda pair: pair[0])
    return float(best[1])


def interval(accuracies: list[float]) -> tuple[float, float]:
    """Mean and half a 95 % interval, widened because the splits share photos (Nadeau and Bengio 2003)."""
    splits = len(accuracies)
    spread = np.std(accuracies, ddof=1) * np.sqrt(1 / splits + 0.1 / 0.8)
    return float(np.mean(accuracies)), float(student_t.ppf(0.975, splits - 1) * spread)


def backbone_named(name: str, weights_dir: Path) -> keras.Model:
    """``builtin``, ``random``, a ``.npz`` of the built-in network, or the name of a MobileNet in ``weights_dir``."""
    if name in ("builtin", "random") or name.endswith(".npz"):
        keras.utils.set_random_seed(0)
        backbone = network.build_network()
        if name != "random":
            network.load_weights(backbone, network.WEIGHTS if name == "builtin" else Path(name))
        return backbone
    *_, alpha, size = name.split("_")
    build = keras.applications.MobileNetV2 if name.startswith("mobilenet_v2") else keras.applications.MobileNet
    shape = (int(size), int(size), 3)
    backbone = build(include_top=False, pooling="avg", alpha=float(alpha), input_shape=shape, weights=None)
    backbone.load_weights(weights_dir / f"{name}.weights.h5")
    return backbone


def measure_speed(backbone: keras.Model, images: np.ndarray) -> None:
    """Print photos a second with the frozen graph: the best of five passes over ``images``."""
    for bfloat16 in (False, True):
        extract = extractor(backbone, bfloat16)
        features_of(extract, images[:128])
        seconds = []
        for _ in range(5):
            started = time.perf_counter()
            features_of(extract, images)
            seconds.append(time.perf_counter() - started)
        kind = "bfloat16" if bfloat16 else "float32"
        best, median = len(images) / min(seconds), len(images) / np.median(seconds)
        click.echo(f"{kind}: {best:.0f} photos a second (median {median:.0f})")


def measure_sizes(backbone: keras.Model, images: np.ndarray) -> None:
    """Print the bytes of the TFLite exports, float32 and int8 (calibrated with 100 ``images``)."""
    scores = keras.layers.Dense(12, activation="softmax")(backbone.output)
    model = keras.Model(backbone.input, scores)
    signature = tf.TensorSpec([1, *backbone.input_shape[1:]], tf.float32)
    call = tf.function(lambda image: model(image, training=False))
    frozen = convert_variables_to_constants_v2(call.get_concrete_function(signature))
    for int8 in (False, True):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([image[None] / np.float32(127.5) - 1] for image in images[:100])
        click.echo(f"TFLite {'int8' if int8 else 'float32'}: {len(converter.convert()):,} bytes")


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--data_dir", type=click.Path(path_type=Path), default=Path("../shared/data"))
@click.option("--weights_dir", type=click.Path(path_type=Path), default=Path("../shared/weights"))
@click.option("--data", multiple=True, default=["cats", "flowers"], help="Folders of --data_dir.")
@click.option("--splits", default=10)
@click.option("--speed", is_flag=True, help="Measure speed and sizes of the first network instead.")
@click.argument("names", nargs=-1)
def main(
    data_dir: Path, weights_dir: Path, data: tuple[str, ...], splits: int, speed: bool, names: tuple[str, ...]
) -> None:
    names = names or ("builtin", "mobilenet_0.25_128", "mobilenet_v2_0.35_224", "random")
    if speed:
        backbone = backbone_named(names[0], weights_dir)
        click.echo(f"{names[0]}: {backbone.count_params():,} parameters")
        images, _ = read_labelled(data_dir / data[0], backbone.input_shape[1])
        rng = np.random.default_rng(0)
        images = images[rng.permutation(len(images))]
        measure_speed(backbone, images[:1024])
        measure_sizes(backbone, images)
        return
    for name in names:
        backbone = backbone_named(name, weights_dir)
        for folder in data:
            images, labels = read_labelled(data_dir / folder, backbone.input_shape[1])
            features = features_of(extractor(backbone, bfloat16=True), images)
            mean, half = interval([accuracy_of_split(features, labels, seed) for seed in range(splits)])
            click.echo(f"{name}  {folder}: {mean:.3f} +- {half:.3f}  ({len(labels):,} photos)")


if __name__ == "__main__":
    main()
