"""How far a format may be from the SavedModel that it was made from.

| formats | probability and similarity | first answers | accuracy | called unknown |
|---|---|---|---|---|
| float32 | within 1e-4 | the same | - | - |
| float16 | within 0.05 | the same, where the first two are more than 0.1 apart | at most 1 point lower * | - |
| int8, dynamic int8 | finite | - | at most 1 point lower * | as many, within 5 points * |

*: or more, where the 95 % interval of the difference, photo by photo, holds 0: then so few photos do not show that
anything was lost. (Of 42 photos a file had answered 2 otherwise, and was refused; the interval was
-5.3 to +14.4 points.) But never more than 10 points, if that is more than one photo. Force lifts these limits.

float16 keeps 11 bits of each weight, so a sum of many products moves by about a thousandth of its
size. A probability moves by at most a quarter of what its logit moves: 0.05 is a logit moved by 0.2. The
largest change of four networks on 255 test photos was 0.033, where the median was 0.0007 (docs/exports.md).

Nothing heavy is imported here: every format declares its limits.
"""

from dataclasses import dataclass

TOLERANCE = 1e-4  # of a probability and of a similarity, for float32 formats
FLOAT16_TOLERANCE = 0.05
GREATEST_DROP = 0.01  # of the accuracy
GREATEST_SHIFT = 0.05  # of the share of photos that are called unknown


@dataclass(frozen=True)
class Limits:
    """How far an export may be from the SavedModel: `tolerance` of a probability, `drop` of the accuracy.

    A None is no limit. Not holding `drop` can be forced. What has no tolerance must call as many photos unknown, and is
    compared on more photos.
    """

    tolerance: float | None
    drop: float | None

    @property
    def takes_many_photos(self) -> bool:
        """Whether only a comparison on many photos shows that a format is as good: no single answer has to agree."""
        return self.tolerance is None


FLOAT32 = Limits(TOLERANCE, None)
FLOAT16 = Limits(FLOAT16_TOLERANCE, GREATEST_DROP)
INT8 = Limits(None, GREATEST_DROP)
