"""The server of the page; by default only this machine reaches it."""

import os
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from cyclegan.errors import AddressError, require_extra
from cyclegan.text import printable

FIRST_PORT, MAX_PORTS_TRIED = 7860, 20  # by default
SHUTDOWN_SECONDS = 1  # in which connections have to end
OFFLINE_ENVIRONMENT = {  # gradio and its libraries read it when they are imported
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """What is served, and at which address."""

    checkpoints: Path = Path("checkpoints")
    datasets: Path = Path("datasets")  # dropped pictures for training are stored in it
    model: Path | None = None  # a model file that is offered first
    device: str = "auto"
    host: str = "127.0.0.1"
    port: int | None = None  # 0: any free one; None: the first free one from FIRST_PORT on


def serve(settings: ServerSettings, on_address: Callable[[str], object]) -> None:
    """Serve the page until the process is interrupted; `on_address` is called once it can be opened."""
    os.environ |= OFFLINE_ENVIRONMENT
    require_extra("gradio", "ui")
    import uvicorn

    with (
        tempfile.TemporaryDirectory(prefix="cyclegan-ui-", ignore_cleanup_errors=True) as folder,
        listening(settings.host, settings.port) as listener,
    ):
        closing = Event()
        try:
            config = uvicorn.Config(
                build_app(settings, Path(folder), closing),
                log_config=None,
                log_level="critical",
                access_log=False,
                ws="none",
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
            on_address(page_address(listener))
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            closing.set()


def build_app(settings: ServerSettings, folder: Path, closing: Event) -> Any:
    """Return the page as an ASGI application that keeps its files in `folder`."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder.resolve())
    import gradio as gr
    from fastapi import FastAPI

    from cyclegan.web.catalogue import Catalogue
    from cyclegan.web.handlers import Handlers
    from cyclegan.web.layout import appearance, build_page
    from cyclegan.web.security import SecurityMiddleware, is_loopback
    from cyclegan.web.train_handlers import TrainHandlers
    from cyclegan.web.trainings import Trainings
    from cyclegan.web.translating import MAX_FILE_BYTES, Workspace

    catalogue = Catalogue(checkpoints=settings.checkpoints, model=settings.model)
    workspace = Workspace(device=settings.device, folder=folder.resolve(), closing=closing)
    # Others must neither read folders of this machine nor use its processors.
    may_train = is_loopback(settings.host)
    handlers = Handlers(catalogue, workspace, may_train=may_train)
    trainings = TrainHandlers(handlers, Trainings(catalogue, settings.device), settings.datasets) if may_train else None
    page = build_page(handlers, trainings)
    app = gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        page,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=MAX_FILE_BYTES,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        **appearance(),
    )
    page.has_launched = True  # until then gradio accepts any path from a browser as an upload
    return SecurityMiddleware(app, workspace.folder, settings.host)


def listening(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens at an address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = range(FIRST_PORT, FIRST_PORT + MAX_PORTS_TRIED) if port is None else [port]
    for candidate in ports:
        try:
            return socket.create_server((host, candidate), family=family)
        except OSError as error:
            reason = error.strerror or str(error)
    raise AddressError(
        f"the page cannot be served at {printable(host)}, port {candidate}: {reason}.", "Choose another --port."
    )


def page_address(listener: socket.socket) -> str:
    """Return the URL of the page."""
    host, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
