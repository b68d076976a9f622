"""The entry point of `label_image` and `python -m label_image`."""

import sys

import label_image.early_signals  # noqa: F401  # first: what follows takes a moment
from label_image.signals import guard


def main() -> None:
    """Run the command line; a signal is heard from here on, while the rest is imported too."""
    with guard():
        from label_image.strangers import hide_pandas_and_sklearn, set_switches

        set_switches()  # while there is but one thread
        hide_pandas_and_sklearn()
        if sys.argv[1:2] == ["serve"]:  # a photo or a folder of that name is ./serve
            from label_image.serve.cli import main as serve

            serve(sys.argv[2:])
        else:
            from label_image.cli import main as run

            run()


if __name__ == "__main__":
    main()
