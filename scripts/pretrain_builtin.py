"""Train the built-in backbone by distillation: pretrained networks teach a small one.

Four phases; what each makes is kept in ``--cache_dir``, so a second start continues where the first stopped:

1. photos    decode the photos of every ``*.zip`` under ``--photos``
2. features  cut random crops, round by round, and keep what the teachers say about each crop
3. train     fit the student to the kept features; checkpoint every few minutes
4. weights   write the student's averaged weights as float16 ``.npz`` and print their SHA-256

The folders' names inside the archives say what is in a photo; no phase uses them as labels (a folder only limits how
many of its photos take part in one round).

Any Keras 3 backend runs it (``KERAS_BACKEND``); on CPU cores TensorFlow was faster than PyTorch.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import click
import numpy as np
from PIL import Image

from retrain.builtin import network
from retrain.networks.keras import keras

TEACHER_SIZE = 160  # the photos' shorter side is 128 or 64: at 224 the teachers cost twice as much and say hardly more
POOLED_SCORES = 640
CELL_SCORES = 192
CELLS = 4
MIN_CROP_SIDE = 56
FOLDER_LIMIT = 200


# ---------------------------------------------------------------------------------------------------------------------
# 1. photos


@dataclass(frozen=True)
class Photo:
    """One decoded photo and where it comes from."""

    name: str
    folder: str
    image: Image.Image

    @property
    def is_held_out(self) -> bool:
        """One photo in 20, chosen by its name, is kept from training to compare recipes with."""
        return hashlib.sha256(self.name.encode()).digest()[0] % 20 == 0


def read_photos(folder: Path) -> list[Photo]:
    """Decode every image of every ``*.zip`` in ``folder``; sorted by archive and name."""
    photos = []
    for archive in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(archive) as opened:
            for name in sorted(opened.namelist()):
                if name.lower().endswith((".webp", ".jpg", ".jpeg", ".png")):
                    image = Image.open(io.BytesIO(opened.read(name))).convert("RGB")
                    photos.append(Photo(f"{archive.name}/{name}", f"{archive.name}/{Path(name).parent}", image))
    if not photos:
        raise click.ClickException(f"no photos in {folder}/*.zip")
    return photos


# ---------------------------------------------------------------------------------------------------------------------
# 2. crops and what the teachers say about them


@dataclass(frozen=True)
class Crops:
    """Crops of photos with their teacher features.

    photo   int32   [n]                 index into the list of photos
    box     float32 [n, 4]              left, upper, right, lower in pixels of the photo
    pooled  float16 [n, POOLED_SCORES]  principal components of the teachers' pooled features
    cells   float16 [n, CELLS, CELLS, CELL_SCORES]  the first of them for each part of the crop
    """

    photo: np.ndarray
    box: np.ndarray
    pooled: np.ndarray
    cells: np.ndarray


def random_box(width: int, height: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A random part of a photo: 20 to 100 % of its area, sides 3:4 to 4:3; one in eight times the whole photo.

    The usual random resized crop (Szegedy et al. 2015, "Going deeper with convolutions"), except that no crop is
    smaller than ``MIN_CROP_SIDE`` squared, because a crop of a 64-pixel photo soon shows nothing.
    """
    if rng.random() < 1 / 8:
        return 0.0, 0.0, float(width), float(height)
    area = width * height
    smallest = min(1.0, max(0.2, MIN_CROP_SIDE**2 / area))
    wanted = area * rng.uniform(smallest, 1.0)
    ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
    crop_width = min(float(width), np.sqrt(wanted * ratio))
    crop_height = min(float(height), np.sqrt(wanted / ratio))
    left = rng.uniform(0, width - crop_width)
    upper = rng.uniform(0, height - crop_height)
    return left, upper, left + crop_width, upper + crop_height


def cut(image: Image.Image, box: np.ndarray, size: int) -> np.ndarray:
    """The part ``box`` of ``image``, squashed to ``size`` x ``size``; uint8 [size, size, 3]."""
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=tuple(box.tolist())))


def photos_of_round(photos: list[Photo], number: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of the photos that take part in round ``number``.

    At most FOLDER_LIMIT of a folder, and a third of the photos whose shorter side is under 100 pixels: they show less,
    so they are cut less often.
    """
    by_folder: dict[str, list[int]] = {}
    small = 0
    for index, photo in enumerate(photos):
        if photo.is_held_out:
            continue
        if min(photo.image.size) < 100:
            small += 1
            if small % 3 != number % 3:
                continue
        by_folder.setdefault(photo.folder, []).append(index)
    chosen = [
        members
        if len(members) <= FOLDER_LIMIT or folder.endswith("imagenet-sample")
        else rng.choice(members, FOLDER_LIMIT, replace=False).tolist()
        for folder, members in by_folder.items()
    ]
    return rng.permutation(np.concatenate(chosen)).astype(np.int32)


@dataclass(frozen=True)
class Projection:
    """Principal components of the teachers' standardised pooled features.

    mean, scale  float32 [features]
    basis        float32 [features, POOLED_SCORES]  columns of falling variance
    variance     float32 [POOLED_SCORES]
    """

    mean: np.ndarray
    scale: np.ndarray
    basis: np.ndarray
    variance: np.ndarray


def fit_projection(features: np.ndarray) -> Projection:
    """Principal components of ``features`` (float32 [n, features]), each feature first brought to variance 1."""
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-2
    standard = (features - mean) / scale
    variance, basis = np.linalg.eigh(standard.T @ standard / len(standard))
    order = np.argsort(variance)[::-1][:POOLED_SCORES]
    return Projection(mean, scale, basis[:, order].astype("float32"), variance[order].astype("float32"))


def load_teachers(weights_dir: Path) -> list[keras.Model]:
    """MobileNet-V2 1.0 and MobileNet 1.0 without tops; images in [-1, 1] -> feature maps."""
    shape = (TEACHER_SIZE, TEACHER_SIZE, 3)
    teachers = []
    for build, name in (
        (keras.applications.MobileNetV2, "mobilenet_v2_1.0_224"),
        (keras.applications.MobileNet, "mobilenet_1.0_224"),
    ):
        teacher = build(include_top=False, alpha=1.0, input_shape=shape, weights=None)
        teacher.load_weights(weights_dir / f"{name}.weights.h5")
        teachers.append(teacher)
    return teachers


def area_pooling(inputs: int, outputs: int) -> np.ndarray:
    """float32 [inputs, outputs]: averages a row of ``inputs`` cells into ``outputs`` cells by overlap."""
    edges_in, edges_out = np.linspace(0, 1, inputs + 1), np.linspace(0, 1, outputs + 1)
    ends = np.minimum(edges_in[1:, None], edges_out[None, 1:])
    starts = np.maximum(edges_in[:-1, None], edges_out[None, :-1])
    return (np.maximum(ends - starts, 0) * outputs).astype("float32")


@keras.saving.register_keras_serializable("pretrain_builtin")
class CellPooling(keras.layers.Layer):
    """[batch, h, w, c] -> [batch, CELLS, CELLS, c] by averaging areas."""

    def call(self, inputs):
        height, width = inputs.shape[1:3]
        rows = keras.ops.convert_to_tensor(area_pooling(height, CELLS))
        columns = keras.ops.convert_to_tensor(area_pooling(width, CELLS))
        return keras.ops.einsum("bhwc,hi,wj->bijc", keras.ops.cast(inputs, "float32"), rows, columns)


@contextmanager
def bfloat16_graphs() -> Iterator[None]:
    """Let TensorFlow run float32 graphs in bfloat16 meanwhile (twice the speed where the CPU has it)."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    from retrain.networks.tensorflow import tf

    option = "auto_mixed_precision_onednn_bfloat16"
    tf.config.optimizer.set_experimental_options({option: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({option: False})


def as_function(
    outputs: list[keras.KerasTensor], inputs: keras.KerasTensor
) -> Callable[[np.ndarray], list[np.ndarray]]:
    """The model from ``inputs`` to ``outputs`` as a NumPy function; a frozen graph where TensorFlow runs it.

    Freezing folds the batch normalisations into the convolutions: 1.5 times the speed of ``predict_on_batch``.
    """
    model = keras.Model(inputs, outputs)
    if keras.backend.backend() != "tensorflow":
        return model.predict_on_batch
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from retrain.networks.tensorflow import tf

    signature = tf.TensorSpec([None, *inputs.shape[1:]], tf.uint8)
    frozen = convert_variables_to_constants_v2(
        tf.function(lambda images: model(images, training=False)).get_concrete_function(signature)
    )
    return lambda images: [result.numpy() for result in frozen(tf.constant(images))]


def teacher_maps(teachers: list[keras.Model]) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Input (uint8 images) and the feature map of every teacher."""
    images = keras.Input((TEACHER_SIZE, TEACHER_SIZE, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    return images, [teacher(scaled) for teacher in teachers]


def pooled_function(teachers: list[keras.Model]) -> Callable:
    """uint8 images -> [the teachers' pooled features, one after the other]."""
    images, maps = teacher_maps(teachers)
    pooled = [keras.layers.GlobalAveragePooling2D()(one) for one in maps]
    return as_function([keras.layers.Concatenate()(pooled) if len(pooled) > 1 else pooled[0]], images)


def scores_function(teachers: list[keras.Model], projection: Projection) -> Callable:
    """uint8 images -> [scores of the pooled features, scores of each cell]."""
    images, maps = teacher_maps(teachers)
    cells = [CellPooling()(one) for one in maps]
    cells = keras.layers.Concatenate()(cells) if len(cells) > 1 else cells[0]
    pooled = keras.layers.GlobalAveragePooling2D()(cells)
    kernel = projection.basis / projection.scale[:, None]
    bias = -projection.mean @ kernel
    all_scores = keras.layers.Dense(kernel.shape[1])
    first_scores = keras.layers.Dense(min(CELL_SCORES, kernel.shape[1]))
    outputs = [all_scores(pooled), first_scores(cells)]
    all_scores.set_weights([kernel, bias])
    first_scores.set_weights([kernel[:, :CELL_SCORES], bias[:CELL_SCORES]])
    return as_function(outputs, images)


def in_background(items: Iterator, depth: int = 3) -> Iterator:
    """The same items, prepared by a second thread while the consumer is busy (Pillow and NumPy release the GIL)."""
    queue: Queue = Queue(depth)

    def fill() -> None:
        try:
            for item in items:
                queue.put((item, None))
            queue.put((None, StopIteration()))
        except Exception as error:  # handed to the consumer, which raises it
            queue.put((None, error))

    threading.Thread(target=fill, daemon=True).start()
    while True:
        item, error = queue.get()
        if isinstance(error, StopIteration):
            return
        if error is not None:
            raise error
        yield item


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write an ``.npz`` under a temporary name and rename it: readers see all of it or nothing."""
    temporary = path.with_suffix(".writing")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(temporary, path)


def crop_batches(photos: list[Photo], index: np.ndarray, box: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """uint8 [<= batch, TEACHER_SIZE, TEACHER_SIZE, 3], one batch after the other."""
    for start in range(0, len(index), batch):
        part = slice(start, start + batch)
        yield np.stack([cut(photos[i].image, b, TEACHER_SIZE) for i, b in zip(index[part], box[part], strict=True)])


@bfloat16_graphs()
def make_features(
    photos: list[Photo], teachers: list[keras.Model], cache: Path, rounds: int, seed: int, batch: int = 64
) -> None:
    """Write ``cache/projection.npz``, ``held_out.npz`` and ``round_000.npz`` ...; what is there already is kept."""
    cache.mkdir(parents=True, exist_ok=True)

    def boxes(index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.array([random_box(*photos[i].image.size, rng) for i in index], "float32")

    if not (cache / "projection.npz").exists():
        rng = np.random.default_rng([seed, 1])
        index = photos_of_round(photos, 0, rng)[:8192]
        pooled = pooled_function(teachers)
        batches = in_background(crop_batches(photos, index, boxes(index, rng), batch))
        features = np.concatenate([pooled(images)[0] for images in batches])
        projection = fit_projection(features.astype("float32"))
        write_arrays(cache / "projection.npz", **vars(projection))
    with np.load(cache / "projection.npz") as arrays:
        projection = Projection(**arrays)

    scores = None
    for number in range(-1, rounds):
        path = cache / (f"round_{number:03d}.npz" if number >= 0 else "held_out.npz")
        if path.exists():
            continue
        scores = scores or scores_function(teachers, projection)
        rng = np.random.default_rng([seed, 2, number + 1])
        if number < 0:
            index = np.array([i for i, photo in enumerate(photos) if photo.is_held_out], "int32")
        else:
            index = photos_of_round(photos, number, rng)
        box = boxes(index, rng)
        started, pooled, cells = time.monotonic(), [], []
        for images in in_background(crop_batches(photos, index, box, batch)):
            one, many = scores(images)
            pooled.append(one.astype("float16"))
            cells.append(many.astype("float16"))
        write_arrays(path, photo=index, box=box, pooled=np.concatenate(pooled), cells=np.concatenate(cells))
        click.echo(f"{path.name}: {len(index):,} crops, {len(index) / (time.monotonic() - started):.0f} a second")


# ---------------------------------------------------------------------------------------------------------------------
# 3. train


@dataclass(frozen=True)
class Recipe:
    """What `train` does; each field is an option of the command."""

    size: int = 96
    last_size: int = 128
    last_share: float = 0.1
    batch: int = 128
    optimizer: str = "muon"
    normalisation: str = "weights"
    learning_rate: float = 6e-3
    weight_decay: float = 0.02
    whitening: float = 0.5
    cells: float = 0.5
    relations: float = 0.0
    seed: int = 0


class MatrixConvolution(keras.layers.Layer):
    """A convolution without bias whose kernel is kept as a matrix [kernel * kernel * inputs, filters].

    Keras's Muon orthogonalises the updates of matrices alone, and a kernel is a matrix in that sense.
    With ``standardise``, each filter has mean 0 and variance gain^2 / fan-in: normalisation of the weights in place of
    the activations (Brock et al. 2021, "Characterizing signal propagation ... in normalizer-free ResNets"), then with
    a bias.
    """

    def __init__(self, filters: int, kernel: int, strides: int, standardise: bool, **options):
        super().__init__(**options)
        self.filters, self.kernel_size, self.strides, self.standardise = filters, kernel, strides, standardise

    def build(self, shape):
        fan_in = self.kernel_size**2 * shape[-1]
        self.kernel = self.add_weight(name="kernel", shape=(fan_in, self.filters), initializer="he_normal")
        if self.standardise:
            self.gain = self.add_weight(name="gain", shape=(self.filters,), initializer="ones")
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def folded_kernel(self):
        """float [kernel, kernel, inputs, filters], as `keras.layers.Conv2D` keeps it."""
        kernel = self.kernel
        if self.standardise:
            mean, variance = keras.ops.moments(kernel, axes=0, keepdims=True)
            scale = self.gain * 2**0.5 / kernel.shape[0] ** 0.5
            kernel = (kernel - mean) * keras.ops.rsqrt(variance + 1e-8) * scale
        return keras.ops.reshape(kernel, (self.kernel_size, self.kernel_size, -1, self.filters))

    def call(self, inputs):
        kernel = keras.ops.cast(self.folded_kernel(), self.compute_dtype)
        outputs = keras.ops.conv(inputs, kernel, self.strides, padding="same")
        return outputs + keras.ops.cast(self.bias, self.compute_dtype) if self.standardise else outputs


def build_student(recipe: Recipe, size: int, pooled_scores: int, cell_scores: int) -> keras.Model:
    """Images [batch, size, size, 3] in [-1, 1] -> predicted teacher scores: pooled, and per cell.

    The layers of `network.LAYERS`, each with its normalisation; the two linear predictions are thrown away afterwards.
    """
    batch_norm = recipe.normalisation == "batch"

    def convolution(layer: network.Convolution, inputs: keras.KerasTensor) -> keras.KerasTensor:
        outputs = MatrixConvolution(
            layer.filters, layer.kernel, layer.strides, standardise=not batch_norm, name=layer.name
        )(inputs)
        if batch_norm:
            outputs = keras.layers.BatchNormalization(momentum=0.96, name=f"{layer.name}_norm")(outputs)
        return outputs

    images = keras.Input((size, size, 3), name="images")
    map_ = network.feature_map(images, convolution)
    cells = CellPooling(dtype="float32")(map_)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled", dtype="float32")(cells)
    outputs = [
        keras.layers.Dense(pooled_scores, name="predicted_pooled", dtype="float32")(pooled),
        keras.layers.Dense(cell_scores, name="predicted_cells", dtype="float32")(cells),
    ]
    return keras.Model(images, outputs, name="student")


@dataclass(frozen=True)
class Targets:
    """All rounds of crops in memory, and how their scores become targets.

    pooled_scale, cell_scale  float32 [POOLED_SCORES], [CELL_SCORES]
    """

    crops: Crops
    pooled_scale: np.ndarray
    cell_scale: np.ndarray


def load_targets(cache: Path, rounds: int, whitening: float) -> Targets:
    """Read the rounds, and scale the scores: component k gets the variance v_k ** (1 - whitening), in the mean 1.

    Whitening 0 leaves the teachers' own variances, so that a few directions are nearly all of the loss; 1 makes all
    directions equal, those of little more than noise too.
    """
    parts = [dict(np.load(cache / f"round_{number:03d}.npz")) for number in range(rounds)]
    crops = Crops(**{key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
    with np.load(cache / "projection.npz") as projection:
        variance = projection["variance"]
    wanted = variance ** (1 - whitening)
    wanted /= wanted.mean()
    sample = crops.cells[:8192].astype("float32")
    cell_variance = sample.var(axis=(0, 1, 2))
    cell_wanted = wanted[: len(cell_variance)] / wanted[: len(cell_variance)].mean()
    return Targets(
        crops, np.sqrt(wanted / variance).astype("float32"), np.sqrt(cell_wanted / cell_variance).astype("float32")
    )


def change_colours(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random saturation, contrast, brightness and tint, each image its own; float32 [n, h, w, 3] in [-1, 1]."""
    count = len(images)
    saturation, contrast = rng.uniform(0.6, 1.4, (2, count, 1, 1))
    tint = rng.uniform(0.9, 1.1, (count, 1, 3))
    grey = np.full((3, 3), 1 / 3)
    matrix = contrast * (saturation * np.eye(3) + (1 - saturation) * grey) * tint
    brightness = rng.uniform(-0.2, 0.2, (count, 1, 1))
    flat = images.reshape(count, -1, 3)
    changed = np.matmul(flat, matrix.astype("float32")) + brightness.astype("float32")
    return np.clip(changed, -1, 1, out=changed).reshape(images.shape)


def training_batch(
    photos: list[Photo], targets: Targets, recipe: Recipe, size: int, step: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The batch of one step; it depends on the seed and the step alone, so a resumed run sees the same batches."""
    rng = np.random.default_rng([recipe.seed, 3, step])
    chosen = rng.integers(len(targets.crops.photo), size=recipe.batch)
    crops = targets.crops
    images = np.stack([cut(photos[crops.photo[i]].image, crops.box[i], size) for i in chosen])
    images = images.astype("float32") / 127.5 - 1
    pooled = crops.pooled[chosen].astype("float32") * targets.pooled_scale
    cells = crops.cells[chosen].astype("float32") * targets.cell_scale
    mirrored = rng.random(recipe.batch) < 0.5
    images[mirrored] = images[mirrored, :, ::-1]
    cells[mirrored] = cells[mirrored, :, ::-1]
    return change_colours(images, rng), [pooled, cells]


def pooled_loss(anchors: np.ndarray, relations: float, temperature: float = 0.07) -> Callable:
    """Mean squared error, plus ``relations`` times the cross-entropy between two views of the neighbourhood.

    The neighbourhood of a crop is the softmax of its cosines with ``anchors`` (float32 [anchors, POOLED_SCORES],
    teacher scores of other crops), once with the teacher's scores and once with the student's prediction (Fang et al.
    2021, "SEED: self-supervised distillation").
    """
    directions = keras.ops.convert_to_tensor(anchors / np.linalg.norm(anchors, axis=1, keepdims=True))

    def neighbourhood(scores):
        return keras.ops.matmul(keras.ops.normalize(scores, axis=-1), keras.ops.transpose(directions)) / temperature

    def loss(wanted, predicted):
        error = keras.ops.mean(keras.ops.square(wanted - predicted), axis=-1)
        if not relations:
            return error
        cross_entropy = keras.losses.categorical_crossentropy(
            keras.ops.softmax(neighbourhood(wanted)), neighbourhood(predicted), from_logits=True
        )
        return error + relations * cross_entropy

    return loss


def compile_student(student: keras.Model, recipe: Recipe, targets: Targets, steps: int) -> None:
    """Give the student its optimiser (one warm-up, then a cosine to 0) and its losses."""
    warm_up = min(300, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 20, steps - warm_up, warmup_target=recipe.learning_rate, warmup_steps=warm_up
    )
    if recipe.optimizer == "muon":
        optimizer = keras.optimizers.Muon(
            rate,
            weight_decay=recipe.weight_decay,
            adam_weight_decay=0.0,
            adam_lr_ratio=0.5,
            exclude_layers=["predicted", "stem_1"],
        )
    else:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gain", "gamma", "beta"])
    anchors = targets.crops.pooled[:4096].astype("float32") * targets.pooled_scale
    student.compile(
        optimizer, loss=[pooled_loss(anchors, recipe.relations), "mean_squared_error"], loss_weights=[1, recipe.cells]
    )
    optimizer.build(student.trainable_variables)


def save_checkpoint(path: Path, student: keras.Model, step: int) -> None:
    """Everything a resumed run needs: the step, the student's and the optimiser's variables."""
    variables = enumerate([*student.variables, *student.optimizer.variables])
    write_arrays(path, step=np.array(step), **{f"{i:04d}": keras.ops.convert_to_numpy(v) for i, v in variables})


def load_checkpoint(path: Path, student: keras.Model) -> int:
    """Restore `save_checkpoint`'s file; returns the step to go on with."""
    with np.load(path, allow_pickle=False) as arrays:
        for i, variable in enumerate([*student.variables, *student.optimizer.variables]):
            variable.assign(arrays[f"{i:04d}"])
        return int(arrays["step"])


def stages(recipe: Recipe, steps: int) -> list[tuple[int, int]]:
    """[(image size, step to stop before)]: ``recipe.size`` first, ``recipe.last_size`` for the last steps."""
    switch = round(steps * (1 - recipe.last_share))
    return [(recipe.size, switch), (recipe.last_size, steps)]


def train(
    photos: list[Photo],
    targets: Targets,
    recipe: Recipe,
    steps: int,
    checkpoint: Path,
    stop_after: int | None = None,
    save_every: float = 180.0,
    report_every: int = 50,
) -> tuple[keras.Model, list[float]]:
    """Train for ``steps`` steps, going on from ``checkpoint`` where there is one; the student and each step's loss.

    ``stop_after`` ends the run early, at that step, as an interruption would.
    """
    losses: list[float] = []
    for size, end in stages(recipe, steps):
        keras.utils.set_random_seed(recipe.seed)
        student = build_student(recipe, size, len(targets.pooled_scale), len(targets.cell_scale))
        compile_student(student, recipe, targets, steps)
        first = load_checkpoint(checkpoint, student) if checkpoint.exists() else 0
        end = min(end, stop_after or end)
        saved = started = time.monotonic()
        batches = (training_batch(photos, targets, recipe, size, step) for step in range(first, end))
        for step, (images, wanted) in enumerate(in_background(batches), start=first):
            student.reset_metrics()
            loss, pooled_part, cells_part = (float(value) for value in student.train_on_batch(images, wanted)[:3])
            losses.append(loss)
            done = step + 1
            if done % report_every == 0:
                speed = (done - first) * recipe.batch / (time.monotonic() - started)
                click.echo(
                    f"step {done:,}/{steps:,}  size {size}  loss {np.mean(losses[-report_every:]):.4f} "
                    f"(pooled {pooled_part:.3f}, cells {cells_part:.3f})  {speed:.0f} photos/s"
                )
            if time.monotonic() - saved > save_every or done == end:
                save_checkpoint(checkpoint, student, done)
                saved = time.monotonic()
    return student, losses


# ---------------------------------------------------------------------------------------------------------------------
# 4. weights


def folded_weights(student: keras.Model) -> dict[str, np.ndarray]:
    """``<layer>/kernel`` and ``<layer>/bias`` of the network as it runs, float32: the normalisations folded in."""
    weights = {}
    for layer in network.LAYERS:
        trained = student.get_layer(layer.name)
        kernel = keras.ops.convert_to_numpy(trained.folded_kernel())
        if trained.standardise:
            bias = keras.ops.convert_to_numpy(trained.bias)
        else:
            gamma, beta, mean, variance = student.get_layer(f"{layer.name}_norm").get_weights()
            scale = gamma / np.sqrt(variance + student.get_layer(f"{layer.name}_norm").epsilon)
            kernel, bias = kernel * scale, beta - mean * scale
        weights[f"{layer.name}/kernel"], weights[f"{layer.name}/bias"] = kernel, bias
    return weights


def write_weights(path: Path, student: keras.Model) -> str:
    """Write the folded weights as float16 to ``path``; returns the file's SHA-256."""
    write_arrays(path, **{name: array.astype("float16") for name, array in folded_weights(student).items()})
    return hashlib.sha256(path.read_bytes()).hexdigest()


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option(
    "--photos",
    "photos_dir",
    type=click.Path(path_type=Path),
    default=Path("../shared/pretraining"),
    help="Folder with the zip archives of photos.",
)
@click.option(
    "--weights_dir",
    type=click.Path(path_type=Path),
    default=Path("../shared/weights"),
    help="Folder with the teachers' weights.",
)
@click.option(
    "--cache_dir",
    type=click.Path(path_type=Path),
    default=Path("tf_files/pretrain_builtin"),
    help="Where features and checkpoints are kept (1.7 GB).",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=network.WEIGHTS,
    show_default="the package's own",
    help="The weights file to write.",
)
@click.option("--rounds", default=14, help="How often each photo of the larger archive is cut.")
@click.option("--steps", default=6500, help="Training steps.")
@click.option("--stop_after", type=int, show_default="the last", help="Stop at this step; start again to go on.")
@click.option("--features_only", is_flag=True, help="Stop after phase 2.")
@click.option("--size", default=Recipe.size, help="Side of the photos in pixels while training.")
@click.option("--last_size", default=Recipe.last_size, help="The same at the end of the training.")
@click.option("--last_share", default=Recipe.last_share, help="Share of the steps at --last_size.")
@click.option("--batch", default=Recipe.batch, help="Photos in a step.")
@click.option("--optimizer", type=click.Choice(["muon", "adamw"]), default=Recipe.optimizer)
@click.option(
    "--normalisation",
    type=click.Choice(["weights", "batch"]),
    default=Recipe.normalisation,
    help="Of the kernels (standardised), or of the activations (batch normalisation).",
)
@click.option("--learning_rate", default=Recipe.learning_rate)
@click.option("--weight_decay", default=Recipe.weight_decay)
@click.option("--whitening", default=Recipe.whitening, help="0: the teachers' own variances; 1: all directions equal.")
@click.option("--cells", default=Recipe.cells, help="Weight of the loss on the parts of a photo.")
@click.option("--relations", default=Recipe.relations, help="Weight of the loss on the neighbourhoods of a photo.")
@click.option("--seed", default=Recipe.seed)
@click.option(
    "--compute",
    type=click.Choice(["mixed_bfloat16", "float32"]),
    default="mixed_bfloat16",
    help="Arithmetic of the training.",
)
def main(
    photos_dir: Path,
    weights_dir: Path,
    cache_dir: Path,
    output: Path,
    rounds: int,
    steps: int,
    stop_after: int | None,
    features_only: bool,
    compute: str,
    **options,
) -> None:
    if tuple(int(part) for part in keras.__version__.split(".")[:2]) < (3, 15):
        raise click.ClickException(f"Keras 3.15 or newer is needed (Python 3.11 or newer), not {keras.__version__}.")
    recipe = Recipe(**options)
    photos = read_photos(photos_dir)
    click.echo(f"{len(photos):,} photos, {sum(photo.is_held_out for photo in photos):,} of them held out")
    make_features(photos, load_teachers(weights_dir), cache_dir, rounds, recipe.seed)
    if features_only:
        return
    keras.mixed_precision.set_global_policy(compute)
    targets = load_targets(cache_dir, rounds, recipe.whitening)
    told = f"{recipe} {steps} {rounds} {compute}"
    checkpoint = cache_dir / f"checkpoint_{hashlib.sha256(told.encode()).hexdigest()[:12]}.npz"
    student, _ = train(photos, targets, recipe, steps, checkpoint, stop_after)
    click.echo(f"{output}  sha256 {write_weights(output, student)}")


if __name__ == "__main__":
    main()
