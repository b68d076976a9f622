"""How the tensors of a TFLite file are made, walked back from what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SIGNATURE = "serving_default"


@dataclass(frozen=True)
class TfliteGraph:
    """The graph of a signature; `outputs` are entries of the file, by the names of what it answers."""

    model: Any
    graph: Any
    outputs: Mapping[str, Any]
    made_by: Mapping[int, Any]
    names: Mapping[int, str]

    @classmethod
    def of(cls, data: bytes | bytearray) -> "TfliteGraph":
        """Of a file; one that is damaged raises whatever its reader raises, one without the signature ValueError."""
        from ai_edge_litert import schema_py_generated as schema

        model = schema.Model.GetRootAs(data, 0)
        names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
        for signature in map(model.SignatureDefs, range(model.SignatureDefsLength())):
            if signature.SignatureKey().decode() != SIGNATURE:
                continue
            graph = model.Subgraphs(signature.SubgraphIndex())
            made_by = {
                number: operator
                for operator in map(graph.Operators, range(graph.OperatorsLength()))
                for number in operator.OutputsAsNumpy().tolist()
            }
            outputs = map(signature.Outputs, range(signature.OutputsLength()))
            return cls(model, graph, {output.Name().decode(): output for output in outputs}, made_by, names)
        raise ValueError(f"it has no signature {SIGNATURE}")

    def output(self, name: str) -> int:
        """The number of the tensor that is answered by this name. Raises ValueError where none is."""
        if name not in self.outputs:
            raise ValueError(f"it has no signature {SIGNATURE} with the output {name}")
        return int(self.outputs[name].TensorIndex())

    def source(self, tensor: int) -> tuple[str, list[int]]:
        """The operation that makes a tensor, and the tensors it takes; of an input or constant there is none."""
        if tensor not in self.made_by:
            return "nothing", []
        code = self.model.OperatorCodes(self.made_by[tensor].OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # the older field ends at 127
        return self.names.get(number, "unknown"), self.made_by[tensor].InputsAsNumpy().tolist()
