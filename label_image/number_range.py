"""The type of options that take a number within limits."""

import math
from typing import Any

import click


class NumberRange(click.FloatRange):
    """A number within limits. `nan` is none: Click takes it, for it is neither below nor above a limit."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        number = super().convert(value, parameter, context)
        if math.isnan(number):
            self.fail(f"nan is not in the range {self._describe_range()}.", parameter, context)
        return number
