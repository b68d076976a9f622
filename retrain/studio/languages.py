"""In which language a page is answered."""

from retrain.core.language import ENGLISH, LANGUAGES


def first_known(accepted: str) -> str:
    """The first of the languages of an Accept-Language header that is one of LANGUAGES; else English.

    Browsers name them in the order in which their reader prefers them, so that the weights need not be read.
    """
    names = (part.partition(";")[0].strip().partition("-")[0].lower() for part in accepted.split(","))
    return next((name for name in names if name in LANGUAGES), ENGLISH)
