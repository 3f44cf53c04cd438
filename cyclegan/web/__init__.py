"""A page in the browser of this machine, to redraw pictures on and to watch runs."""

from cyclegan.web.server import Settings, serve

__all__ = ["Settings", "serve"]
