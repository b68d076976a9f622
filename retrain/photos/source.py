"""Which photos: what is asked for, and the data set that comes of it."""

from dataclasses import dataclass
from pathlib import Path

from retrain.core.progress import SILENT, Progress
from retrain.photos.category_names import display_names, read_category_names, rename_classes
from retrain.photos.dataset import Dataset
from retrain.photos.layouts.reading import Layout
from retrain.photos.opening import chosen, list_together, unpacking_beside


@dataclass(frozen=True)
class SourceConfig:
    """Which photos, and what their classes are called.

    `image_dir` is a folder or whatever else `Dataset.open` takes, and so are those of `add_images`. `fixes` are
    decisions about single photos, `category_names` other names for the classes. `paranoid`: read every photo again,
    whatever its size and dates say. `layout`: how a folder is to be read, if not as its names say. `source_dir`: where
    downloads and what is unpacked is kept, if not beside the bottlenecks.
    """

    image_dir: Path | str
    max_images_per_class: int | None = None
    fixes: Path | None = None
    category_names: Path | None = None
    paranoid: bool = False
    layout: Layout = "auto"
    source_dir: Path | None = None
    add_images: tuple[Path | str, ...] = ()

    @property
    def places(self) -> tuple[Path, ...]:
        """The sources as paths, for those who look whether something lies among them: at an address nothing does."""
        return (Path(self.image_dir), *map(Path, self.add_images))

    def open_named(self, bottleneck_dir: Path, progress: Progress = SILENT) -> tuple[Dataset, tuple[str, ...]]:
        """The photos by the names of their classes, and these names in the order of what they had before.

        Those that are no files are unpacked beside `bottleneck_dir`. What there is to say of them is said.
        """
        # Before the long work, so that wrong names end the run at once; and before the fixes, which may use them.
        categories = read_category_names(self.category_names) if self.category_names else None
        unpacking = unpacking_beside(bottleneck_dir, self.paranoid, self.layout, self.source_dir, progress)
        found = list_together([self.image_dir, *self.add_images], unpacking)
        name_of, more = display_names(categories, found.labels) if categories is not None else ({}, ())
        dataset = chosen(found, self.image_dir, self.add_images, self.fixes, self.max_images_per_class, name_of=name_of)
        labels = tuple(name_of.get(label, label) for label in dataset.labels)
        for remark in (*dataset.told(), *more):
            progress.say(remark)
        return rename_classes(dataset, name_of) if name_of else dataset, labels
