"""How often does `retrain export` refuse an int8 file that is as good, and keep one that is worse?

Question: by which rule should a format be refused whose answers may differ? A share of photos gets another answer from
the file than from the SavedModel, and where one of the two answers is right, accuracy is lost or won; the true loss is
given. All outcomes on a number of photos are summed up with their probabilities, so that no photo is needed.
Result: a limit of one point alone refuses a file that is as good 15 % of the time on 255 photos, and 27 % on 42; one
that loses 2 points it keeps 21 % of the time on 255. Where the paired interval has to exclude 0, too, and 1000 photos
are compared, the first is refused 1.5 % of the time, the second kept 10 %. On few photos hardly anything is refused
then, so what is said beside it is which loss they exclude.

    python -m research.judge_format_gate
"""

from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import binom

from retrain.exports.proof.limits import GREATEST_DROP
from retrain.training.paired import Change
from scripts.commands import command

# Share of photos for which being right changes, and the true loss of accuracy.
FILES = {"as good": (0.024, 0.0), "1 point": (0.03, 0.01), "2 points": (0.04, 0.02), "5 points": (0.07, 0.05)}
PHOTOS = (42, 255, 1000)
Rule = Callable[[Change], bool]

RULES: dict[str, Rule] = {
    "> 1 point": lambda change: change.share > GREATEST_DROP,
    "+ interval": lambda change: change.is_beyond(GREATEST_DROP),
}


def refused(rule: Rule, photos: int, changed: float, loss: float) -> float:
    """The probability that a file is refused."""
    of_changed = (changed + loss) / (2 * changed)  # are lost
    total = 0.0
    for count in range(int(binom.ppf(1 - 1e-9, photos, changed)) + 1):
        lost = np.arange(count + 1)
        says_no = [rule(Change(int(some), count - int(some), photos)) for some in lost]
        total += float(binom.pmf(count, photos, changed) * (binom.pmf(lost, count, of_changed) * says_no).sum())
    return total


@command
def main() -> None:
    """Print how often files of known quality are refused."""
    table = Table(title="refused")
    for name in ("photos", "rule", *FILES):
        table.add_column(name)
    for photos in PHOTOS:
        for name, rule in RULES.items():
            shares = (refused(rule, photos, changed, loss) for changed, loss in FILES.values())
            table.add_row(str(photos), name, *(f"{share:.1%}" for share in shares))
    Console().print(table)


if __name__ == "__main__":
    main()
