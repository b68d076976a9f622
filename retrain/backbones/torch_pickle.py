"""The pickles of a PyTorch checkpoint, read by an interpreter of our own that cannot run anything.

A pickle is a program: Python's `pickle` imports whatever it names, and calls it. A state dict, names and tensors, needs
little of that. This interpreter knows the instructions that PyTorch writes for one, and no others; what a pickle names
is looked up in `NAMES` and never imported; calling gives a `Tensor`, which is a description, or an empty dict. Keys are
text, so that nothing is compared or hashed but text and small numbers.

Memory: a pickle may have so many instructions and bytes, and each makes one small object at most.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

MAX_INSTRUCTIONS = 100_000  # of all pickles of a file; a tensor takes about 40, so 2,500 tensors
MAX_BYTES = 4 * 2**20  # of the same
MAX_TEXT = 1000  # bytes of a name
MAX_DIMENSIONS = 8


class CheckpointFormatError(ValueError):
    """What is read is not a state dict; the message is a clause that says why, after "because"."""


class Name(Enum):
    """What a pickle may name besides the kinds of storage."""

    ORDERED_DICT = "collections.OrderedDict"
    TENSOR = "torch._utils._rebuild_tensor"
    TENSOR_V2 = "torch._utils._rebuild_tensor_v2"
    PARAMETER = "torch._utils._rebuild_parameter"


@dataclass(frozen=True)
class StorageKind:
    """The numbers that a storage holds: a NumPy type, little-endian."""

    dtype: str


@dataclass(frozen=True)
class Storage:
    """A run of numbers elsewhere in the file, and the key that it is known by."""

    key: str
    kind: StorageKind
    length: int


@dataclass(frozen=True)
class Tensor:
    """Where in a storage the numbers of a tensor are; `offset` and `strides` count numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


NAMES: dict[str, Name | StorageKind] = {
    **{name.value: name for name in Name},
    "torch.DoubleStorage": StorageKind("<f8"),
    "torch.FloatStorage": StorageKind("<f4"),
    "torch.HalfStorage": StorageKind("<f2"),
    "torch.LongStorage": StorageKind("<i8"),
    "torch.IntStorage": StorageKind("<i4"),
    "torch.ShortStorage": StorageKind("<i2"),
    "torch.CharStorage": StorageKind("i1"),
    "torch.ByteStorage": StorageKind("u1"),
    "torch.BoolStorage": StorageKind("?"),
}


@dataclass
class Allowance:
    """What the pickles of one file may still take."""

    instructions: int = MAX_INSTRUCTIONS
    bytes: int = MAX_BYTES


def shown(name: str) -> str:
    """A name out of a file, as a message may quote it."""
    quoted = ascii(name)
    return quoted if len(quoted) <= 100 else f"{quoted[:100]}…"


def read_pickle(file: BinaryIO, allowance: Allowance) -> object:
    """The value of the pickle that begins here; the file is left at its end.

    It is made of None, booleans, whole numbers, text, lists, tuples, dicts and what `NAMES` stands for.
    Raises CheckpointFormatError.
    """
    machine = _Machine(file, allowance)
    while True:
        allowance.instructions -= 1
        if allowance.instructions < 0:
            raise CheckpointFormatError("it is longer than that of any list of weights")
        code = machine.read(1)
        if code == b".":
            return machine.pop()
        perform = INSTRUCTIONS.get(code)
        if perform is None:
            raise CheckpointFormatError(f"it uses instruction 0x{code.hex()}, which no list of weights needs")
        perform(machine)


class _Machine:
    """The stack and the memory of a pickle while it is read."""

    def __init__(self, file: BinaryIO, allowance: Allowance) -> None:
        self.file, self.allowance = file, allowance
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def read(self, count: int) -> bytes:
        self.allowance.bytes -= count
        if self.allowance.bytes < 0:
            raise CheckpointFormatError("it is larger than that of any list of weights")
        data = self.file.read(count)
        if len(data) < count:
            raise CheckpointFormatError("it breaks off")
        return data

    def number(self, layout: str) -> int:
        (value,) = struct.unpack(layout, self.read(struct.calcsize(layout)))
        return int(value)

    def text(self, count: int) -> str:
        if count > MAX_TEXT:
            raise CheckpointFormatError(f"one of its names has {count} bytes")
        try:
            return self.read(count).decode()
        except UnicodeDecodeError:
            raise CheckpointFormatError("one of its names is not text") from None

    def line(self) -> str:
        characters = bytearray()
        while (character := self.read(1)) != b"\n":
            characters += character
            if len(characters) > MAX_TEXT:
                raise CheckpointFormatError("one of its names does not end")
        return characters.decode(errors="replace")

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise CheckpointFormatError("its instructions do not fit together")
        return self.stack.pop()

    def pop_to_mark(self) -> list[object]:
        if not self.marks:
            raise CheckpointFormatError("its instructions do not fit together")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def top(self, kind: type) -> object:
        value = self.pop()
        if type(value) is not kind:
            raise CheckpointFormatError("its instructions do not fit together")
        self.push(value)
        return value

    def remember(self, place: int) -> None:
        value = self.pop()
        self.memo[place] = value
        self.push(value)

    def recall(self, place: int) -> None:
        if place not in self.memo:
            raise CheckpointFormatError("its instructions do not fit together")
        self.push(self.memo[place])

    def tuple_of(self, count: int) -> None:
        self.push(tuple(reversed([self.pop() for _ in range(count)])))

    def append(self, values: list[object]) -> None:
        target = self.top(list)
        assert isinstance(target, list)
        target.extend(values)

    def set_items(self, values: list[object]) -> None:
        target = self.top(dict)
        assert isinstance(target, dict)
        keys = values[::2]
        if len(values) % 2 or not all(type(key) is str for key in keys):
            raise CheckpointFormatError("one of its keys is not text")
        target.update(zip(keys, values[1::2], strict=True))

    def name(self) -> None:
        name = f"{self.line()}.{self.line()}"
        if name not in NAMES:
            raise CheckpointFormatError(f"it asks for {shown(name)}, which no list of weights needs")
        self.push(NAMES[name])

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if function is Name.ORDERED_DICT and arguments == ():
            self.push({})
        elif function is Name.PARAMETER and isinstance(arguments, tuple) and arguments:
            if type(arguments[0]) is not Tensor:
                raise CheckpointFormatError("one of its parameters is not a tensor")
            self.push(arguments[0])
        elif function in (Name.TENSOR, Name.TENSOR_V2) and isinstance(arguments, tuple):
            self.push(_tensor(arguments))
        else:
            raise CheckpointFormatError("it calls what is not to be called")

    def storage(self) -> None:
        values = self.pop()
        if type(values) is not tuple or len(values) < 5 or values[0] != "storage":
            raise CheckpointFormatError("one of its storages is not described as PyTorch does")
        kind, key, length = values[1], values[2], values[4]
        if type(kind) is not StorageKind or type(key) is not str or not _is_count(length):
            raise CheckpointFormatError("one of its storages is not described as PyTorch does")
        if any(view is not None for view in values[5:]):
            raise CheckpointFormatError("one of its storages is a part of another")
        self.push(Storage(key, kind, length))

    def build(self) -> None:
        """The attributes of an object: of a state dict PyTorch's own version numbers, which are passed over."""
        self.pop()
        self.top(dict)


def _tensor(arguments: tuple[object, ...]) -> Tensor:
    if len(arguments) < 4:
        raise CheckpointFormatError("one of its tensors is not described as PyTorch does")
    storage, offset, shape, strides = arguments[:4]
    if type(storage) is not Storage or not _is_count(offset) or not _are_counts(shape) or not _are_counts(strides):
        raise CheckpointFormatError("one of its tensors is not described as PyTorch does")
    assert isinstance(offset, int) and isinstance(shape, tuple) and isinstance(strides, tuple)
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise CheckpointFormatError("one of its tensors is not described as PyTorch does")
    return Tensor(storage, offset, shape, strides)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**48


def _are_counts(values: object) -> bool:
    return type(values) is tuple and all(_is_count(value) for value in values)


Instruction = Callable[[_Machine], None]

INSTRUCTIONS: dict[bytes, Instruction] = {
    b"\x80": lambda machine: _check_protocol(machine.number("<B")),
    b"(": lambda machine: machine.marks.append(len(machine.stack)),
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"K": lambda machine: machine.push(machine.number("<B")),
    b"M": lambda machine: machine.push(machine.number("<H")),
    b"J": lambda machine: machine.push(machine.number("<i")),
    b"\x8a": lambda machine: machine.push(int.from_bytes(machine.read(machine.number("<B")), "little", signed=True)),
    b"X": lambda machine: machine.push(machine.text(machine.number("<I"))),
    b")": lambda machine: machine.push(()),
    b"\x85": lambda machine: machine.tuple_of(1),
    b"\x86": lambda machine: machine.tuple_of(2),
    b"\x87": lambda machine: machine.tuple_of(3),
    b"t": lambda machine: machine.push(tuple(machine.pop_to_mark())),
    b"]": lambda machine: machine.push([]),
    b"a": lambda machine: machine.append([machine.pop()]),
    b"e": lambda machine: machine.append(machine.pop_to_mark()),
    b"}": lambda machine: machine.push({}),
    b"s": lambda machine: machine.set_items([machine.pop(), machine.pop()][::-1]),
    b"u": lambda machine: machine.set_items(machine.pop_to_mark()),
    b"q": lambda machine: machine.remember(machine.number("<B")),
    b"r": lambda machine: machine.remember(machine.number("<I")),
    b"h": lambda machine: machine.recall(machine.number("<B")),
    b"j": lambda machine: machine.recall(machine.number("<I")),
    b"c": lambda machine: machine.name(),
    b"R": lambda machine: machine.call(),
    b"Q": lambda machine: machine.storage(),
    b"b": lambda machine: machine.build(),
}


def _check_protocol(protocol: int) -> None:
    if protocol != 2:
        raise CheckpointFormatError(f"it is written in protocol {protocol}, and PyTorch writes 2")
