"""What a page must know of the tensors of a .tflite: LiteRT in a browser tells neither scale nor zero point."""

from pathlib import Path
from typing import Any

import numpy as np

from label_image.errors import ModelError, first_line
from label_image.quiet import quiet
from label_image.runtimes import ANSWERS, quantised

DTYPES = ("float32", "uint8", "int32")  # that LiteRT.js has arrays for


def tensors_of(tflite: bytes, path: Path) -> dict[str, Any]:
    """`input` and `outputs` of a model that answers one photo, as plain JSON.

    An input that is not float32 has a `table`: what it takes for each of the levels 0 to 255. An output that is not has
    `scale` and `zero`: it stands for `(value - zero) * scale`. Raises ModelError.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with quiet():
            interpreter = Interpreter(model_content=tflite)
            signature = interpreter.get_signature_runner("serving_default")
            image, outputs = signature.get_input_details()["image"], signature.get_output_details()
        scores = outputs["scores"]
    except (ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"{path} cannot be loaded: {first_line(error)}") from None
    described = {name: _output(tensor) for name, tensor in outputs.items() if name in ANSWERS}
    types = {image["dtype"], *(tensor["dtype"] for tensor in (scores, *outputs.values()))}
    unknown = sorted({np.dtype(dtype).name for dtype in types} - set(DTYPES))
    if unknown:
        raise ModelError(f"{path} has numbers of {unknown[0]}, which a browser's LiteRT has not.")
    return {"input": _input(image), "outputs": described}


def _input(tensor: Any) -> dict[str, Any]:
    dtype = np.dtype(tensor["dtype"]).name
    if dtype == "float32":
        return {"dtype": dtype}
    return {"dtype": dtype, "table": quantised(np.arange(256, dtype=np.uint8), tensor).tolist()}


def _output(tensor: Any) -> dict[str, Any]:
    dtype = np.dtype(tensor["dtype"]).name
    if dtype == "float32":
        return {"dtype": dtype}
    scale, zero = tensor["quantization"]
    return {"dtype": dtype, "scale": float(np.float32(scale)), "zero": int(zero)}
