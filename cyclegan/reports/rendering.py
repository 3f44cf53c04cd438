"""Rendering of templates; control characters and markup in all values are escaped."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cyclegan.text import printable


def finalize(value: Any) -> Any:
    """Escape control characters; the environment escapes markup afterwards."""
    is_text = isinstance(value, str) and not hasattr(value, "__html__")
    return printable(value) if is_text else value


ENVIRONMENT = Environment(
    loader=PackageLoader("cyclegan.reports"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=finalize,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """Return a template of this package with its values."""
    return ENVIRONMENT.get_template(template).render(values)


def packaged(name: str) -> str:
    """Return a style or a script of this package."""
    return files("cyclegan.reports").joinpath("templates", name).read_text(encoding="utf-8")
