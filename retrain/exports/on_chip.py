"""A TFLite model as a microcontroller runs it: its operators, the memory it works in, and what it answers.

The reference is TensorFlow Lite Micro's own interpreter, built for this machine. Where pointers have 32 bits instead of
64 it needs a little less memory, so that what is measured here is enough there.
"""

from typing import TYPE_CHECKING, Any

from label_image.quiet import quiet

if TYPE_CHECKING:
    from label_image.preprocessing import Pixels
    from label_image.runtimes import Outputs

LARGEST_ARENA = 2**24  # looked for up to here; no board has as much
STEP = 1024  # bytes: how exactly it is measured


def operators_of(model: bytes) -> list[str]:
    """The operators of a model, by the names that TensorFlow Lite Micro's resolver has for them."""
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    root = schema.Model.GetRootAs(model, 0)
    codes = map(root.OperatorCodes, range(root.OperatorCodesLength()))
    # The older field ends at 127.
    found = {names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] for code in codes}
    # CONV_2D is AddConv2D there, L2_NORMALIZATION AddL2Normalization.
    return sorted("".join(part.title() for part in name.split("_")) for name in found)


def arena_of(model: bytes) -> int | None:
    """The bytes that the interpreter works in, as the smallest that is enough; None if it cannot run the model."""
    if not _runs_in(model, LARGEST_ARENA):
        return None
    low, high = 0, LARGEST_ARENA // STEP  # in steps: too few, and enough
    with quiet():  # the interpreter complains of each that is too small
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _runs_in(model, middle * STEP) else (middle, high)
    return high * STEP


def _runs_in(model: bytes, arena: int) -> bool:
    import numpy as np

    try:
        with quiet():
            interpreter = _interpreter(model, arena)
            taken = interpreter.get_input_details(0)
            interpreter.set_input(np.zeros(taken["shape"], taken["dtype"]), 0)
            interpreter.invoke()
    except (RuntimeError, ValueError):
        return False
    return True


def _interpreter(model: bytes, arena: int) -> Any:
    from tflite_micro import runtime

    return runtime.Interpreter(model, [], arena)


class OnChip:
    """A model in the interpreter; `scores` and `similarity` are the places of its outputs."""

    def __init__(self, model: bytes, arena: int, classes: int) -> None:
        self._interpreter = _interpreter(model, arena)
        shapes = [tuple(self._interpreter.get_output_details(place)["shape"]) for place in (0, 1)]
        self.scores = shapes.index((1, classes))
        self.similarity = 1 - self.scores

    def scale_of(self, output: int) -> tuple[float, int]:
        """How a byte of an output becomes a number: its step, and the byte that is 0."""
        found = self._interpreter.get_output_details(output)["quantization_parameters"]
        return float(found["scales"][0]), int(found["zero_points"][0])

    def run(self, pixels: "Pixels") -> "Outputs":
        """What it answers for photos, one after the other."""
        import numpy as np

        from label_image.runtimes import Outputs

        said: dict[int, list[Any]] = {self.scores: [], self.similarity: []}
        for photo in pixels:
            self._interpreter.set_input(photo[None], 0)
            self._interpreter.invoke()
            for output, rows in said.items():
                rows.append(self._interpreter.get_output(output)[0])
        numbers = {}
        for output, rows in said.items():
            scale, zero = self.scale_of(output)
            numbers[output] = (np.asarray(rows, np.float32) - zero) * np.float32(scale)
        return Outputs(numbers[self.scores], numbers[self.similarity][:, 0])
