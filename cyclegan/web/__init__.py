"""A local web page that translates pictures and shows the progress of runs."""

from cyclegan.web.server import ServerSettings, serve

__all__ = ["ServerSettings", "serve"]
