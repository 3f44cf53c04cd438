"""A generator as an ONNX graph for batches of any size, written layer by layer.

It takes a tenth of a second, where torch's own exporter takes ten: short enough to do it at each start.
"""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from cyclegan.errors import require_extra
from cyclegan.models import Generator
from cyclegan.models.layers import EPSILON, InstanceNorm, ReflectionPad

OPSET = 20
INPUT, OUTPUT = "images", "translated"  # names of the input and the output; no layer has them
Value = tuple[int, Sequence[int | str | None]]  # ONNX's number of a type, and a shape
IR_VERSION = 9  # of the ONNX releases with that opset; later ones are not read by every runtime


def onnx_graph(generator: Generator, extra: str, *, exact: bool) -> bytes:
    """Return a generator in fp32 as a serialized ONNX model with one input and one output, n c h w.

    Height and width must divide by the generator's stride. `exact` is that of `GraphWriter`. `extra` brings onnx. An
    unknown layer is a `TypeError`.
    """
    writer = GraphWriter(require_extra("onnx", extra), exact=exact)
    writer.add_generator(generator, INPUT, OUTPUT)
    images = writer.value([None] * 4)
    return writer.serialized(images, images)


class LayerTracer(fx.Tracer):
    """Records the order in which a generator calls its layers."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Tell whether a module is one layer of the graph."""
        return isinstance(m, InstanceNorm | ReflectionPad) or super().is_leaf_module(m, module_qualified_name)


class GraphWriter:
    """Collects the nodes and weights of an ONNX graph.

    `exact` subtracts the mean twice in instance norms, so that a flat channel becomes 0 as in torch: runtimes leave the
    mean's rounding error, and each norm amplifies it 300 times. In bf16 it is rounded away. With `half`, layers compute
    in float16, instance norms in float32.
    """

    def __init__(self, onnx: Any, *, exact: bool, half: bool = False) -> None:
        self.onnx = onnx
        self.helper = onnx.helper
        self.exact = exact
        self.half = half
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, operator_name: str, inputs: Sequence[str], output: str, **attributes: object) -> str:
        """Add a node; return the name of its output."""
        self.nodes.append(self.helper.make_node(operator_name, inputs, [output], **attributes))
        return output

    def cast(self, x: str, kind: type[np.generic], output: str) -> str:
        """Add a conversion to another type of number; return the name of its output."""
        return self.add("Cast", [x], output, to=self.kind(kind))

    def kind(self, kind: type[np.generic]) -> int:
        """Return ONNX's number of a type."""
        number: int = self.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return number

    def constant(self, name: str, values: Tensor) -> str:
        """Add constant values, float16, float32 or int64; return their name."""
        array = values.detach().cpu().contiguous().numpy()
        kind = self.kind(array.dtype.type)
        self.weights.append(self.helper.make_tensor(name, kind, array.shape, array.tobytes(), raw=True))
        return name

    def weight(self, name: str, values: Tensor) -> str:
        """Add a weight of a layer, in the type in which layers compute; return its name."""
        return self.constant(name, values.half() if self.half else values)

    def add_generator(self, generator: Generator, x: str, y: str) -> str:
        """Add a generator with input `x` and output `y`, n c h w, in the type in which layers compute; return `y`."""
        layers = dict(generator.named_modules())
        values = {}  # of the trace's nodes, by their name in the graph
        for node in LayerTracer().trace(generator).nodes:
            values[node] = node.name
            if node.op == "placeholder":
                values[node] = x
            elif node.op == "call_module":
                self.add_layer(layers[node.target], values[node.args[0]], node.name)
            elif node.op == "call_function" and node.target is operator.add:
                self.add("Add", [values[term] for term in node.args], node.name)
            elif node.op == "call_function" and node.target is torch.cat:
                self.add("Concat", [values[part] for part in node.args[0]], node.name, axis=1)
            elif node.op == "output":
                self.add("Identity", [values[node.args[0]]], y)
            else:
                raise TypeError(f"a generator computes {node.target}, which has no ONNX operator here")
        return y

    def add_layer(self, layer: nn.Module, x: str, y: str) -> None:
        """Add a layer with input `x` and output `y`, as it computes in inference."""
        match layer:
            case nn.Conv2d() | nn.ConvTranspose2d():
                self.add_convolution(layer, x, y)
            case InstanceNorm():
                self.add_instance_norm(x, y)
            case nn.BatchNorm2d():
                names = ("weight", "bias", "running_mean", "running_var")
                values = [self.weight(f"{y}.{name}", getattr(layer, name)) for name in names]
                self.add("BatchNormalization", [x, *values], y, epsilon=layer.eps)
            case ReflectionPad():
                left, right, top, bottom = layer.padding
                pads = self.constant(f"{y}.pads", torch.tensor([0, 0, top, left, 0, 0, bottom, right]))
                self.add("Pad", [x, pads], y, mode="reflect")
            case nn.LeakyReLU():
                self.add("LeakyRelu", [x], y, alpha=layer.negative_slope)
            case nn.ReLU():
                self.add("Relu", [x], y)
            case nn.Tanh():
                self.add("Tanh", [x], y)
            case nn.Dropout():
                self.add("Identity", [x], y)
            case _:
                raise TypeError(f"a generator has a {type(layer).__name__}, which has no ONNX operator here")

    def add_convolution(self, layer: nn.Conv2d | nn.ConvTranspose2d, x: str, y: str) -> None:
        """Add a convolution, or a transposed one."""
        weights = [self.weight(f"{y}.weight", layer.weight)]
        if layer.bias is not None:
            weights.append(self.weight(f"{y}.bias", layer.bias))
        attributes: dict[str, object] = {"strides": layer.stride, "pads": [*layer.padding, *layer.padding]}
        if isinstance(layer, nn.ConvTranspose2d):
            attributes["output_padding"] = layer.output_padding
            self.add("ConvTranspose", [x, *weights], y, **attributes)
        else:
            self.add("Conv", [x, *weights], y, **attributes)

    def add_instance_norm(self, x: str, y: str) -> None:
        """Add an instance norm by plain arithmetic, which OpenVINO fuses into one operator."""
        axes, epsilon = (
            self.constant(f"{y}.axes", torch.tensor([2, 3])),
            self.constant(f"{y}.eps", torch.tensor(EPSILON)),
        )
        x = self.cast(x, np.float32, f"{y}.float") if self.half else x
        for turn in range(2 if self.exact else 1):
            mean = self.add("ReduceMean", [x, axes], f"{y}.mean{turn}", keepdims=1)
            x = self.add("Sub", [x, mean], f"{y}.centered{turn}")
        square = self.add("Mul", [x, x], f"{y}.square")
        variance = self.add("ReduceMean", [square, axes], f"{y}.variance", keepdims=1)
        deviation = self.add("Sqrt", [self.add("Add", [variance, epsilon], f"{y}.positive")], f"{y}.deviation")
        if self.half:
            self.cast(self.add("Div", [x, deviation], f"{y}.normalized"), np.float16, y)
        else:
            self.add("Div", [x, deviation], y)

    def value(self, shape: Sequence[int | str | None], kind: type[np.generic] = np.float32) -> Value:
        """Return type and shape of an input or output; None and names are sizes that are left open."""
        return self.kind(kind), shape

    def serialized(self, images: Value, translated: Value, metadata: Mapping[str, str] | None = None) -> bytes:
        """Return the model, with the type and shape of its input and of its output."""
        values = (
            self.helper.make_tensor_value_info(name, *value) for name, value in ((INPUT, images), (OUTPUT, translated))
        )
        graph = self.helper.make_graph(self.nodes, "generator", *([value] for value in values), self.weights)
        opset = self.helper.make_opsetid("", OPSET)
        model = self.helper.make_model(graph, ir_version=IR_VERSION, opset_imports=[opset])
        self.helper.set_model_props(model, metadata or {})
        serialized: bytes = model.SerializeToString()
        return serialized
