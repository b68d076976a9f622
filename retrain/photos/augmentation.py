"""How far the views of a photo may differ from it. Light: the command line needs it for its help."""

from dataclasses import dataclass

from retrain.core.errors import OptionError
from retrain.core.typed import check_fields

VIEWS = 4  # of a photo, where augmentation is asked for, but not how many views
MOST = {"random_crop": 99, "random_scale": None, "random_brightness": 99, "random_rotation": 180}


@dataclass(frozen=True)
class Augmentation:
    """How far views may be distorted.

    `random_crop` is the margin in percent that a crop may leave out, `random_scale` the percent by which
    the photo may be enlarged, `random_brightness` the percent by which its values may be multiplied up or
    down, `random_rotation` the degrees that it may be turned either way. Raises OptionError for a value out
    of range.
    """

    flip_left_right: bool = False
    random_crop: int = 0
    random_scale: int = 0
    random_brightness: int = 0
    random_rotation: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        for name, most in MOST.items():
            value = getattr(self, name)
            if value < 0 or (most is not None and value > most):
                raise OptionError(f"`{name}` {value} must be 0 {'or more' if most is None else f'to {most}'}.")

    def __bool__(self) -> bool:
        return str(self) != ""

    def __str__(self) -> str:
        steps = {
            "flip": self.flip_left_right,
            f"crop({self.random_crop})": self.random_crop,
            f"scale({self.random_scale})": self.random_scale,
            f"brightness({self.random_brightness})": self.random_brightness,
            f"rotation({self.random_rotation})": self.random_rotation,
        }
        return "|".join(step for step, asked in steps.items() if asked)

    @property
    def most_views(self) -> int | None:
        """How many different views there can be, the photo itself among them; None: any number."""
        if not self:
            return 1
        return 2 if self == Augmentation(flip_left_right=True) else None
