"""A generator as an OpenVINO program: an `.xml` file of the graph and a `.bin` file of the weights."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from cyclegan.inference.backends import import_openvino


def openvino_program(onnx_program: bytes, metadata: Mapping[str, str], *, half: bool) -> tuple[bytes, bytes]:
    """Return the two files of an ONNX program as one of OpenVINO; with `half` the weights are stored in float16."""
    openvino = import_openvino()
    model = openvino.Core().read_model(onnx_program)
    for name, value in metadata.items():
        model.set_rt_info(value, ["cyclegan", name])
    with TemporaryDirectory() as folder:
        graph = Path(folder, "program.xml")
        openvino.save_model(model, graph, compress_to_fp16=half)
        return graph.read_bytes(), graph.with_suffix(".bin").read_bytes()
