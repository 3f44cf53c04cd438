"""Serving the page, on this machine alone unless told otherwise, until somebody stops it."""

import os
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from cyclegan.errors import AddressError, printable, require_extra

FIRST, TRIED = 7860, 20  # ports, where none is asked for
GRACE = 1  # seconds that connections have to end
QUIET = {  # for what gradio and its libraries read when they are imported
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is served, and where."""

    checkpoints: Path = Path("checkpoints")
    model: Path | None = None  # a model file that is offered first
    device: str = "auto"
    host: str = "127.0.0.1"
    port: int | None = None  # 0: any that is free; None: the first of some that is free


def serve(settings: Settings, on_address: Callable[[str], object]) -> None:
    """Serve the page until the process is interrupted; `on_address` is called once it can be opened."""
    os.environ |= QUIET
    require_extra("gradio", "ui")
    import uvicorn

    with (
        tempfile.TemporaryDirectory(prefix="cyclegan-ui-", ignore_cleanup_errors=True) as place,
        listening(settings.host, settings.port) as listener,
    ):
        closing = Event()
        try:
            config = uvicorn.Config(
                build_app(settings, Path(place), closing),
                log_config=None,
                log_level="critical",
                access_log=False,
                ws="none",
                timeout_graceful_shutdown=GRACE,
            )
            on_address(address_of(listener))
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            closing.set()


def build_app(settings: Settings, place: Path, closing: Event) -> Any:
    """Return the page as an ASGI application that keeps its files in `place`."""
    os.environ["GRADIO_TEMP_DIR"] = str(place.resolve())
    import gradio as gr
    from fastapi import FastAPI

    from cyclegan.web.catalogue import Site
    from cyclegan.web.layout import appearance, build_page
    from cyclegan.web.security import Guard
    from cyclegan.web.translating import MOST_BYTES

    site = Site(
        checkpoints=settings.checkpoints,
        model=settings.model,
        device=settings.device,
        place=place.resolve(),
        closing=closing,
    )
    page = build_page(site)
    app = gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        page,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=MOST_BYTES,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        **appearance(),
    )
    page.has_launched = True  # until then, gradio takes any path from a browser for that of an upload
    return Guard(app, site.place, settings.host)


def listening(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens at an address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = range(FIRST, FIRST + TRIED) if port is None else [port]
    for number in ports:
        try:
            return socket.create_server((host, number), family=family)
        except OSError as error:
            reason = error.strerror or str(error)
    raise AddressError(
        f"the page cannot be served at {printable(host)}, port {number}: {reason}.", "Choose another --port."
    )


def address_of(listener: socket.socket) -> str:
    """Return where a browser finds the page."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"
