"""Each Python that a test starts imports TensorFlow in two thirds of the time: Keras goes without its extras.

Keras takes scikit-learn and Matplotlib along where they are installed, for wrappers and plots that are none of this
project's. Whoever else imports them gets them. The commands of tests/strangers start without this, as users' do.
"""

import sys
from importlib.machinery import ModuleSpec

EXTRAS = ("matplotlib", "sklearn")


class KerasGoesWithout:
    """Finds nothing: it says that a package is absent if a module of Keras asks for it."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        if name in EXTRAS and _importer().startswith("keras."):
            raise ModuleNotFoundError(f"Keras is to do without {name}", name=name)
        return None


def _importer() -> str:
    """The name of the module whose line is being run."""
    frame = sys._getframe(2)
    while frame.f_globals["__name__"].startswith("importlib.") and frame.f_back is not None:  # the machinery between
        frame = frame.f_back
    return str(frame.f_globals["__name__"])


sys.meta_path.insert(0, KerasGoesWithout)  # type: ignore[arg-type]
