"""The public data sets that `retrain fetch` knows.

Sizes and checksums are those that others have published: tensorflow-datasets (url_checksums and checksums.tsv), the
build of PyTorch's tutorials (hymenoptera), and several projects that agree (trashnet, and the size of hymenoptera). A
file that its owner changes is refused until its line here is changed.
"""

from dataclasses import dataclass
from typing import Literal

Becomes = Literal["folder", "pets", "flowers", "named"]


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set: its addresses in the order in which they are tried, its bytes, its SHA-256."""

    addresses: tuple[str, ...]
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class PublicSet:
    """One data set.

    `becomes` says how it is made ready: `folder` is trained on as it is unpacked, below `folder`; for the others a
    table or names are written beside the photos (`retrain.photos.public.tables`). `classes` and `photos` are what its
    authors say. `remark` is what a person should know of it.
    """

    name: str
    title: str
    files: tuple[RemoteFile, ...]
    page: str
    licence: str
    citation: str
    classes: int
    photos: int
    becomes: Becomes = "folder"
    folder: str = ""
    remark: str = ""

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)


_OXFORD = "https://www.robots.ox.ac.uk/~vgg/data"

SETS = (
    PublicSet(
        name="caltech-101",
        title="objects of 101 kinds",
        files=(
            RemoteFile(
                ("https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip?download=1",),
                "caltech-101.zip",
                137_414_764,
                "331234750fc7f77520e50d9565e8b6907b03565e30320da1401130db08c61f91",
            ),
        ),
        page="https://data.caltech.edu/records/mzrjq-6wc02",
        licence="CC BY 4.0",
        citation="L. Fei-Fei, R. Fergus, P. Perona: Learning generative visual models from few training examples: an "
        "incremental Bayesian approach tested on 101 object categories. CVPR Workshop, 2004.",
        classes=102,
        photos=9_144,
        folder="caltech-101/101_ObjectCategories/101_ObjectCategories",
        remark="BACKGROUND_Google is a class too: photos of anything. Delete its folder to leave it out.",
    ),
    PublicSet(
        name="cats-vs-dogs",
        title="Microsoft's cats and dogs",
        files=(
            RemoteFile(
                (
                    "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/"
                    "kagglecatsanddogs_5340.zip",
                ),
                "kagglecatsanddogs_5340.zip",
                824_887_076,
                "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
            ),
        ),
        page="https://www.microsoft.com/en-us/download/details.aspx?id=54765",
        licence="Microsoft's, as in the file MSR-LA - 3467.docx of the archive",
        citation="J. Elson, J. Douceur, J. Howell, J. Saul: Asirra: a CAPTCHA that exploits interest-aligned manual "
        "image categorization. ACM CCS, 2007.",
        classes=2,
        photos=25_000,
        folder="PetImages",
        remark="Some of its files are broken, Cat/666.jpg and Dog/11702.jpg among them; they are skipped, each by "
        "name. tensorflow-datasets drops 1,738: those that are not JFIF, most of which can be read.",
    ),
    PublicSet(
        name="eurosat",
        title="land use seen by the satellite Sentinel-2",
        files=(
            RemoteFile(
                (
                    "https://huggingface.co/datasets/torchgeo/eurosat/resolve/"
                    "c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip",
                    "https://madm.dfki.de/files/sentinel/EuroSAT.zip",
                ),
                "EuroSAT.zip",
                94_280_567,
                "8ebea626349354c5328b142b96d0430e647051f26efc2dc974c843f25ecf70bd",
            ),
        ),
        page="https://github.com/phelber/EuroSAT",
        licence="MIT",
        citation="P. Helber, B. Bischke, A. Dengel, D. Borth: EuroSAT: a novel dataset and deep learning benchmark for "
        "land use and land cover classification. IEEE JSTARS, 2019. arXiv:1709.00029.",
        classes=10,
        photos=27_000,
        folder="2750",
    ),
    PublicSet(
        name="flower_photos",
        title="TensorFlow's five flowers",
        files=(
            RemoteFile(
                ("https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",),
                "flower_photos.tgz",
                228_813_984,
                "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
            ),
        ),
        page="https://www.tensorflow.org/datasets/catalog/tf_flowers",
        licence="CC BY 2.0, by the authors that its LICENSE.txt names",
        citation="The TensorFlow Team: Flowers, January 2019.",
        classes=5,
        photos=3_670,
        folder="flower_photos",
    ),
    PublicSet(
        name="hymenoptera",
        title="ants and bees of PyTorch's tutorial",
        files=(
            RemoteFile(
                ("https://download.pytorch.org/tutorial/hymenoptera_data.zip",),
                "hymenoptera_data.zip",
                47_286_322,
                "fbc41b31d544714d18dd1230b1e2b455e1557766e13e67f9f5a7a23af7c02209",
            ),
        ),
        page="https://pytorch.org/tutorials/beginner/transfer_learning_tutorial.html",
        licence="none is stated; a part of ImageNet, whose photos are for research that is not commercial",
        citation="S. Chilamkurthy: Transfer learning for computer vision tutorial. PyTorch.",
        classes=2,
        photos=397,
        folder="hymenoptera_data",
    ),
    PublicSet(
        name="imagenette",
        title="ten easy classes of ImageNet, 320 pixels",
        files=(
            RemoteFile(
                ("https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",),
                "imagenette2-320.tgz",
                341_663_724,
                "569b4497c98db6dd29f335d1f109cf315fe127053cedf69010d047f0188e158c",
            ),
        ),
        page="https://github.com/fastai/imagenette",
        licence="Apache 2.0 for the choice; ImageNet's photos are for research that is not commercial",
        citation="J. Howard: Imagenette. https://github.com/fastai/imagenette",
        classes=10,
        photos=13_394,
        becomes="named",
        folder="imagenette2-320",
    ),
    PublicSet(
        name="oxford-flowers-102",
        title="flowers of 102 kinds",
        files=(
            RemoteFile(
                (f"{_OXFORD}/flowers/102/102flowers.tgz",),
                "102flowers.tgz",
                344_862_509,
                "2d01ecc807db462958cfe3d92f57a8c252b4abd240eb955770201e45f783b246",
            ),
            RemoteFile(
                (f"{_OXFORD}/flowers/102/imagelabels.mat",),
                "imagelabels.mat",
                502,
                "4903e94206bac23bf772aadf06451916df56b58fc483a62db32a97b82656651d",
            ),
            RemoteFile(
                (f"{_OXFORD}/flowers/102/setid.mat",),
                "setid.mat",
                14_989,
                "46b8678f91fd95d3c8f4feab80d271a6c834a1dd896fe29fd3e6ad9ce5c8dccd",
            ),
        ),
        page="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
        licence="none is stated",
        citation="M.-E. Nilsback, A. Zisserman: Automated flower classification over a large number of classes. "
        "ICVGIP, 2008.",
        classes=102,
        photos=8_189,
        becomes="flowers",
        remark="Its own split: ten photos of each class for training, ten for validation, all others for the test.",
    ),
    PublicSet(
        name="oxford-pets",
        title="cats and dogs of 37 breeds",
        files=(
            RemoteFile(
                (
                    f"{_OXFORD}/pets/data/images.tar.gz",
                    "https://thor.robots.ox.ac.uk/~vgg/data/pets/images.tar.gz",
                ),
                "images.tar.gz",
                791_918_971,
                "67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
            ),
            RemoteFile(
                (
                    f"{_OXFORD}/pets/data/annotations.tar.gz",
                    "https://thor.robots.ox.ac.uk/~vgg/data/pets/annotations.tar.gz",
                ),
                "annotations.tar.gz",
                19_173_078,
                "52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
            ),
        ),
        page="https://www.robots.ox.ac.uk/~vgg/data/pets/",
        licence="CC BY-SA 4.0",
        citation="O. M. Parkhi, A. Vedaldi, A. Zisserman, C. V. Jawahar: Cats and dogs. CVPR, 2012.",
        classes=37,
        photos=7_349,
        becomes="pets",
    ),
    PublicSet(
        name="trashnet",
        title="six kinds of rubbish",
        files=(
            RemoteFile(
                (
                    "https://huggingface.co/datasets/garythung/trashnet/resolve/main/dataset-resized.zip",
                    "https://github.com/garythung/trashnet/raw/master/data/dataset-resized.zip",
                ),
                "dataset-resized.zip",
                42_834_870,
                "c060e8abfe5d6de0578ca15be1ed8ad0794a865d333c3473d53d1d9ad6e38b8c",
            ),
        ),
        page="https://github.com/garythung/trashnet",
        licence="MIT",
        citation="M. Yang, G. Thung: Classification of trash for recyclability status. Stanford CS 229, 2016.",
        classes=6,
        photos=2_527,
        folder="dataset-resized",
    ),
)


def public_set(name: str) -> PublicSet | None:
    """The data set of a name, whatever the case and the lines in it; None if there is none."""
    wanted = _plain(name)
    return next((one for one in SETS if _plain(one.name) == wanted), None)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
