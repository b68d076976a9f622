"""How often the interval of an accuracy holds the truth where photos come as takes of few subjects.

Question: by what is the number of photos to be divided, where the answers to takes of one subject are alike? Answers
are drawn: the accuracy of a subject from a beta distribution, whose spread says how `alike` (as a correlation) the
answers to two takes of one are, and each take right with that chance. "Estimated" divides by the design effect as it is
estimated (`design_effect`), "as quoted" by `effect_on_accuracy`.
Result: over 5 x 20, 10 x 10, 20 x 10, 60 x 5 and 200 x 3 subjects x takes, accuracies 0.8, 0.95 and 0.99, alike 0.02,
0.3, 0.7 and 0.999, 600 draws of each, 18 of the 60 intervals by the estimate hold the truth in less than 90 % of the
draws, at worst in 19 % (5 x 20, accuracy 0.95, takes all alike, of which most draws have no error); as quoted none
does, at worst 91 %.

    python -m research.judge_effects
"""

from collections.abc import Callable

import numpy as np

from retrain.training.metrics import Groups, Shares, design_effect, effect_on_accuracy, wilson_interval
from scripts.commands import command

SIZES = ((5, 20), (10, 10), (20, 10), (60, 5), (200, 3))  # subjects, takes of each
ACCURACIES = (0.8, 0.95, 0.99)
ALIKE = (0.02, 0.3, 0.7, 0.999)
DRAWS = 600


def judge(effect: Callable[[Shares, Groups], float], subjects: int, takes: int, accuracy: float, alike: float) -> str:
    """The share of draws whose interval holds the accuracy, and the mean width in points."""
    random, groups = np.random.default_rng(0), np.repeat(np.arange(subjects), takes)
    rest, held, width = 1 / alike - 1, 0, 0.0
    for _ in range(DRAWS):
        chances = random.beta(accuracy * rest, (1 - accuracy) * rest, subjects)
        right = (random.random(len(groups)) < chances[groups]).astype(float)
        worth = len(groups) / effect(right, groups)
        low, high = wilson_interval(float(right.mean()) * worth, worth)
        held += low <= accuracy <= high
        width += high - low
    return f"{held / DRAWS:.0%} ({100 * width / DRAWS:.0f})"


@command
def main() -> None:
    """How often intervals hold the truth where photos come as takes of few subjects; widths in points behind."""
    print("subjects  takes  accuracy  alike    estimated    as quoted")
    for subjects, takes in SIZES:
        for accuracy in ACCURACIES:
            for alike in ALIKE:
                found = [
                    judge(effect, subjects, takes, accuracy, alike) for effect in (design_effect, effect_on_accuracy)
                ]
                print(f"{subjects:8} {takes:6} {accuracy:9} {alike:6} {found[0]:>12} {found[1]:>12}", flush=True)


if __name__ == "__main__":
    main()
