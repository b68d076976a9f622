"""What is said and offered beside a finding, wherever it is shown: on the doctor's page, in a report, in the studio."""

from collections.abc import Mapping
from types import MappingProxyType

from retrain.core.language import translatable, translated
from retrain.insight.doctor.findings import Diagnosis
from retrain.photos.fixes import KEEP, REMOVE

ADVICE = MappingProxyType(
    {
        "unreadable": translatable("They are left out of everything."),
        "label": translatable(
            "The classifier, trained without the photo, disagrees with its class. Beside it is the photo of the "
            "suggested class that is most like it. Relabel what is wrong; keep what is right: hard photos are the "
            "useful ones."
        ),
        "copy_across_classes": translatable("One of the two labels must be wrong. Remove or relabel it."),
        "copy_across_split": translatable(
            "The accuracy on the test photos is too good to be true with them. Remove one of each."
        ),
        "copy": translatable("They do no harm in training, but count twice. Remove them if you like."),
        "outlier": translatable("They may show something else, or only be unusual. Remove what does not belong."),
        "blank": translatable(
            "Nothing can be learned from them. If they are not empty in another program, say which file it is."
        ),
        "blurred": translatable("Keep them if the photos you want to label will be like this."),
        "tiny": translatable(
            "They are enlarged for the network. Keep them if the photos you want to label are as small."
        ),
        "huge": translatable("They only take time to read."),
        "gray": translatable("Keep them if the photos you want to label have no colours either."),
        "rotated": translatable("There is nothing to do here. Other programs may show them lying on their side."),
        "imbalance": translatable("Add photos to these classes, if you can."),
    }
)
HAS_CHOICE = frozenset(
    {"label", "copy_across_classes", "copy_across_split", "copy", "outlier", "blank", "blurred", "tiny", "gray"}
)


def advice_on(kind: str) -> str:
    """What to do about the findings of a kind, in the language of the moment."""
    return translated(ADVICE[kind])


def relation_of(kind: str) -> str:
    """What the photo beside one is to it, before its class, in the language of the moment."""
    return translated("nearest") if kind == "label" else translated("copy in")


def choices_of(diagnosis: Diagnosis) -> Mapping[str, tuple[str, ...]]:
    """What may be decided about each photo, by path: the same wherever it is found."""
    suggestions: dict[str, list[str]] = {}
    for finding in diagnosis.findings:
        suggestions.setdefault(finding.path, []).append(finding.suggestion)
    return {path: tuple(dict.fromkeys((KEEP, *more, REMOVE))) for path, more in suggestions.items()}
