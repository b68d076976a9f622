"""Two answers to the same photos, compared photo by photo: what is hard for both counts for neither."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z = 1.959964  # of a 95 % interval
HARD_LIMIT = 0.1  # of either, however few photos say so

Which = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Change:
    """Of how many photos something was true before, and is `lost` now, and of how many it is `won`."""

    lost: int
    won: int
    photos: int

    @classmethod
    def between(cls, before: Which, now: Which) -> "Change":
        return cls(int((before & ~now).sum()), int((now & ~before).sum()), len(now))

    @property
    def turned(self) -> "Change":
        """The same, seen from the other side."""
        return Change(self.won, self.lost, self.photos)

    @property
    def share(self) -> float:
        """By how much it is true of fewer, -1..1."""
        return (self.lost - self.won) / self.photos

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `share`."""
        return paired_interval(self.lost, self.won, self.photos)

    def is_beyond(self, limit: float) -> bool:
        """Whether more than `limit` is lost for certain; or so much that few photos are enough to say so."""
        beyond_all = self.share > HARD_LIMIT and self.lost - self.won > 1
        return beyond_all or (self.share > limit and self.interval[0] > 0)


def paired_interval(lost: int, won: int, photos: int) -> tuple[float, float]:
    """The 95 % interval of a drop of the accuracy, (lost - won) / photos, on the same photos.

    Wald's interval with half a photo added to each of the four cells (Agresti and Min 2005, "Simple improved
    confidence intervals for comparing matched proportions").
    """
    count, more, less = photos + 2, lost + 0.5, won + 0.5
    centre = (more - less) / count
    half = Z * float(np.sqrt(more + less - (more - less) ** 2 / count)) / count
    return max(-1.0, centre - half), min(1.0, centre + half)
