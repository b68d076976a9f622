"""The program of a Core ML package, evaluated op by op by TensorFlow.

Core ML itself runs on Apple's systems only. This reads a written package back, with coremltools' own
loader, and computes what its program says: it proves the graph and the weights, and says nothing of
Apple's runtime. The ops are those of MIL (apple.github.io/coremltools, "MIL ops"), as far as image
classifiers have them; one that is not here is an error, and never passed over.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from label_image.errors import ModelError
from label_image.preprocessing import Pixels
from label_image.runtimes import Outputs, Run
from retrain.core.tensorflow import quiet, tf

Values = Mapping[str, Any]  # the inputs of an op by name: tensors, and NumPy arrays where they are constant


def program_runner(program: Any, labels: list[str], path: Path) -> Run:
    """A loaded program as a runner, one photo at a time.

    Raises ModelError for an op that is not known, for labels that are not those of the program in this
    order, and for a program without `image` or `similarity`.
    """
    function = program.functions["main"]
    classify = [op for op in function.operations if op.op_type == "classify"]
    if len(classify) != 1 or [str(label) for label in classify[0].inputs["classes"].val] != labels:
        raise ModelError(f"{path} has other labels than its manifest.")
    unknown = sorted({op.op_type for op in function.operations} - {*OPS, "const", "classify"})
    if unknown:
        raise ModelError(f"{path} cannot be checked: the op {unknown[0]} of Core ML is not known here.")
    if list(function.inputs) != ["image"] or "similarity" not in {output.name for output in function.outputs}:
        raise ModelError(f"{path} is not a classifier of retrain: it lacks image or similarity.")
    (name,) = function.inputs
    shape = tuple(function.inputs[name].shape)
    scores = classify[0].inputs["probabilities"].name

    def evaluate(image: Any) -> tuple[Any, Any]:
        values = {name: tf.ensure_shape(image, shape)}
        for op in function.operations:
            if op.op_type in OPS:
                given = {key: _value(var, values) for key, var in op.inputs.items() if var is not None}
                (output,) = op.outputs
                values[output.name] = _rounded(OPS[op.op_type](given), output)
        return values[scores], values["similarity"]

    with quiet():
        compiled = tf.function(evaluate, autograph=False).get_concrete_function(tf.TensorSpec(shape, tf.float32))

    def run(pixels: Pixels) -> Outputs:
        channels_first = np.moveaxis(pixels, 3, 1).astype(np.float32)
        said = [compiled(tf.constant(photo[None])) for photo in channels_first]
        scores = np.concatenate([answer[0].numpy() for answer in said]).astype(np.float32)
        return Outputs(scores, np.array([answer[1].numpy().item() for answer in said], np.float32))

    return run


def _value(var: Any, values: Values) -> Any:
    """A tensor that was computed, or a constant."""
    if isinstance(var, tuple | list):
        return [_value(each, values) for each in var]
    return values.get(var.name, var.val)


def _rounded(tensor: Any, output: Any) -> Any:
    """In float32, but of the values that the program's float16 has where it says so."""
    if tensor.dtype == tf.float32 and output.dtype.__type_info__().name == "fp16":
        return tf.cast(tf.cast(tensor, tf.float16), tf.float32)
    return tensor


def _floats(value: Any) -> Any:
    """As a tensor; float16 as float32."""
    tensor = tf.convert_to_tensor(value)
    return tf.cast(tensor, tf.float32) if tensor.dtype.is_floating else tensor


def _convolution(given: Values) -> Any:
    """x (n, channels, h, w), weight (outputs, channels / groups, h, w)."""
    x, weight = tf.transpose(given["x"], (0, 2, 3, 1)), _floats(given["weight"])
    groups, strides = int(given.get("groups", 1)), _pair(given.get("strides"))
    x, padding = _padded(x, given)
    outputs, inputs = int(weight.shape[0]), int(x.shape[3])
    options = {"padding": padding, "dilations": _pair(given.get("dilations"))}
    if groups == 1:
        y = tf.nn.conv2d(x, tf.transpose(weight, (2, 3, 1, 0)), strides, **options)
    elif groups == inputs:
        filters = tf.reshape(weight, (inputs, outputs // inputs, *weight.shape[2:]))
        y = tf.nn.depthwise_conv2d(x, tf.transpose(filters, (2, 3, 0, 1)), (1, *strides, 1), **options)
    else:
        pairs = zip(tf.split(x, groups, 3), tf.split(weight, groups, 0), strict=True)
        y = tf.concat([tf.nn.conv2d(a, tf.transpose(b, (2, 3, 1, 0)), strides, **options) for a, b in pairs], 3)
    if given.get("bias") is not None:
        y = y + _floats(given["bias"])
    return tf.transpose(y, (0, 3, 1, 2))


def _pool(given: Values, reduce: Callable[..., Any]) -> Any:
    """x (n, channels, h, w)."""
    if bool(given.get("ceil_mode", False)):
        raise ModelError("A pooling of Core ML with ceil_mode is not known here.")
    x, kind = tf.transpose(given["x"], (0, 2, 3, 1)), str(given["pad_type"])
    if kind == "custom" and np.any(given["pad"]):
        raise ModelError("A pooling of Core ML with its own padding is not known here.")
    average = reduce is tf.nn.avg_pool2d
    if average and kind == "same" and not bool(given.get("exclude_padding_from_average", False)):
        raise ModelError("An average of Core ML over its padding is not known here.")
    y = reduce(x, _pair(given["kernel_sizes"]), _pair(given.get("strides")), "SAME" if kind == "same" else "VALID")
    return tf.transpose(y, (0, 3, 1, 2))


def _padded(x: Any, given: Values) -> tuple[Any, str]:
    """x (n, h, w, channels) with an op's own padding, and what TensorFlow has to do itself."""
    kind = str(given["pad_type"])
    if kind == "custom":
        top, bottom, left, right = (int(value) for value in given["pad"])
        return tf.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0))), "VALID"
    if kind not in ("same", "valid"):
        raise ModelError(f"The padding {kind} of Core ML is not known here.")
    return x, kind.upper()


def _pair(values: Any) -> tuple[int, int]:
    return (1, 1) if values is None else (int(values[0]), int(values[1]))


def _batch_norm(given: Values) -> Any:
    """Over axis 1."""
    x = given["x"]
    shape = (1, -1) + (1,) * (len(x.shape) - 2)
    mean, variance, gamma, beta = (
        None if given.get(name) is None else tf.reshape(_floats(given[name]), shape)
        for name in ("mean", "variance", "gamma", "beta")
    )
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, float(given["epsilon"]))


def _pad(given: Values) -> Any:
    """`pad` has a pair for each of the last dimensions."""
    if str(given["mode"]) != "constant":
        raise ModelError(f"The padding {given['mode']} of Core ML is not known here.")
    pairs = np.reshape(given["pad"], (-1, 2))
    before = np.zeros((len(given["x"].shape) - len(pairs), 2), pairs.dtype)
    return tf.pad(given["x"], np.concatenate([before, pairs]), constant_values=float(given["constant_val"]))


def _linear(given: Values) -> Any:
    y = tf.matmul(given["x"], _floats(given["weight"]), transpose_b=True)
    return y if given.get("bias") is None else y + _floats(given["bias"])


def _matmul(given: Values) -> Any:
    first, second = _floats(given["x"]), _floats(given["y"])
    return tf.matmul(first, second, bool(given["transpose_x"]), bool(given["transpose_y"]))


def _reduced(reduce: Callable[..., Any]) -> Callable[[Values], Any]:
    def op(given: Values) -> Any:
        axes = None if given.get("axes") is None else [int(axis) for axis in given["axes"]]
        return reduce(given["x"], axes, bool(given.get("keep_dims", False)))

    return op


def _pairwise(compute: Callable[[Any, Any], Any]) -> Callable[[Values], Any]:
    return lambda given: compute(_floats(given["x"]), _floats(given["y"]))


def _single(compute: Callable[[Any], Any]) -> Callable[[Values], Any]:
    return lambda given: compute(given["x"])


def _cast(given: Values) -> Any:
    """Between float16 and float32: values are kept in float32, and rounded by the type of the output."""
    if str(given["dtype"]) not in ("fp16", "fp32"):
        raise ModelError(f"A cast of Core ML to {given['dtype']} is not known here.")
    return _floats(given["x"])


OPS: Mapping[str, Callable[[Values], Any]] = {
    "add": _pairwise(tf.add),
    "avg_pool": lambda given: _pool(given, tf.nn.avg_pool2d),
    "batch_norm": _batch_norm,
    "cast": _cast,
    "clip": lambda given: tf.clip_by_value(given["x"], float(given["alpha"]), float(given["beta"])),
    "concat": lambda given: tf.concat([_floats(value) for value in given["values"]], int(given["axis"])),
    "conv": _convolution,
    "expand_dims": lambda given: tf.reshape(
        given["x"], np.expand_dims(np.empty(given["x"].shape), tuple(given["axes"])).shape
    ),
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": lambda given: _pool(given, tf.nn.max_pool2d),
    "maximum": _pairwise(tf.maximum),
    "minimum": _pairwise(tf.minimum),
    "mul": _pairwise(tf.multiply),
    "pad": _pad,
    "real_div": _pairwise(tf.divide),
    "reduce_max": _reduced(tf.reduce_max),
    "reduce_mean": _reduced(tf.reduce_mean),
    "reduce_sum": _reduced(tf.reduce_sum),
    "relu": _single(tf.nn.relu),
    "relu6": _single(tf.nn.relu6),
    "reshape": lambda given: tf.reshape(given["x"], given["shape"]),
    "rsqrt": lambda given: tf.math.rsqrt(given["x"] + float(given["epsilon"])),
    "sigmoid": _single(tf.sigmoid),
    "silu": _single(tf.nn.silu),
    "softmax": lambda given: tf.nn.softmax(given["x"], int(given["axis"])),
    "sqrt": _single(tf.sqrt),
    "square": _single(tf.square),
    "squeeze": lambda given: tf.squeeze(given["x"], [int(axis) for axis in given["axes"]]),
    "sub": _pairwise(tf.subtract),
    "tanh": _single(tf.tanh),
    "transpose": lambda given: tf.transpose(given["x"], given["perm"]),
}
