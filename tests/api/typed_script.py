"""What a user writes."""

from pathlib import Path

import numpy as np

from label_image.model import Predictions, load_model
from retrain import (
    Backbone,
    Bottlenecks,
    Dataset,
    Division,
    ExportConfig,
    HeadConfig,
    PhotoClassifier,
    RetrainError,
    SplitConfig,
    TrainedHead,
    evaluate,
    export,
    extract,
    fit_head,
)  # fmt: skip


def afternoon(folder: Path) -> float:
    dataset = Dataset.open(folder).where(["a", "b"]).sample(100)
    paths: list[str] = [file.path for file in dataset]
    for name in Backbone.names("mobilenet*"):
        bottlenecks = extract(dataset, Backbone.find(name), observe=lambda done, total: done < 10)
        some = bottlenecks[bottlenecks.y != "a"]
        print(some.X.shape, some.fingerprint, len(some))
    division = bottlenecks.split(SplitConfig(folds=0))
    own = Division.of_sides(bottlenecks.photos, ["train"] * len(bottlenecks))
    trained = fit_head(bottlenecks, division, HeadConfig(l2=0.1))
    given = TrainedHead.of(bottlenecks, own, (np.zeros((3, 2)), np.zeros(2)))
    labels: list[str] = trained.predict(paths).tolist()
    given.save(folder / "head")
    exported = export(TrainedHead.load(folder / "head"), ExportConfig(folder / "model")).add("onnx")
    said: Predictions = load_model(exported.path).predict(paths)
    bottlenecks.to_parquet(folder / "b.parquet")
    print(Bottlenecks.read(folder / "b.parquet").labels, labels, said.labels)
    try:
        return PhotoClassifier(l2=0.1).fit(paths, labels).score(paths, labels) + (evaluate(trained).accuracy or 0)
    except RetrainError as error:
        print(error.option)
        return 0.0
