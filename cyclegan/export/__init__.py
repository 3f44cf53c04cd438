"""A model's networks for use elsewhere: programs (ONNX, OpenVINO, torch.export), a web page, the reference's files."""

from cyclegan.export.model_files import export_reference, half_precision_model, reference_files
from cyclegan.export.programs import ProgramOptions, export_program, program_files
from cyclegan.export.web_page import export_web_page, web_files

__all__ = [
    "ProgramOptions",
    "export_program",
    "export_reference",
    "export_web_page",
    "half_precision_model",
    "program_files",
    "reference_files",
    "web_files",
]
