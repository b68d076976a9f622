"""The entry point of `retrain` and `python -m retrain`."""

import label_image.early_signals  # noqa: F401  # first: what follows takes a moment
from label_image.signals import guard, leave


def main() -> None:
    """Run the command line, and end the process; a signal is heard from here on, while the rest is imported too."""
    with guard():
        from label_image.strangers import hide_pandas_and_sklearn, set_switches

        set_switches()  # while there is but one thread
        hide_pandas_and_sklearn()
        from retrain.cli.main import main as run

        run()
    leave()


if __name__ == "__main__":
    main()
