"""The page gives everybody their pictures back, and nobody anything else."""

import http.client
import io
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cyclegan.checkpoints.run import Run
from cyclegan.web import security
from cyclegan.web.security import SecurityMiddleware
from tests.support.models import write_model
from tests.support.served_ui import Served, serving

POSIX = sys.platform != "win32"


def png(size: tuple[int, int] = (40, 30), colour: object = "orange", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


def test_translation_keeps_name_format_size_and_metadata(page: Served, photograph: Path):
    [path] = page.upload((photograph.name, photograph.read_bytes())).json()
    kind, (files, table, *_) = page.answer(page.ask([path], scores=True))
    assert kind == "complete"
    assert [file["orig_name"] for file in files["value"]] == [photograph.name]
    data = page.get(f"/gradio_api/file={files['value'][0]['path']}").content
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (120, 80))
        assert picture.getexif()[306] == "2020:02:20 20:20:20"
    assert b"trainedAlgorithmicMedia" in data
    [[name, realism, cycle_error]] = table["value"]["data"]
    assert name == photograph.name
    assert 0 < cycle_error < 255
    assert abs(realism) < 10


def test_the_example_in_the_documents_runs(page: Served, photograph: Path, tmp_path: Path):
    text = (Path(__file__).parents[2] / "docs" / "ui.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    code = code.replace("http://127.0.0.1:7860", page.address).replace("photo.jpg", photograph.name)
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    [written] = result.stdout.split("\n")[:1]
    with Image.open(written) as picture:
        assert picture.size == (120, 80)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.jpg", b"not a picture", "text.jpg is not a picture in a format that can be read."),
        ("cut.png", png((300, 300))[:200], "cut.png is damaged"),
        ("empty.png", b"", "empty.png is empty."),
        ("<b>bold.png", b"no", "bbold.png is not a picture"),
        ("bomb.png", png((9000, 9000), 0, "1"), "bomb.png has 9000 x 9000 pixels, more than 50,000,000."),
        ("moves.gif", None, "moves.gif is an animation. Use `cyclegan translate` for it."),
    ],
)
def test_a_bad_picture_gets_a_message_and_others_are_translated(
    page: Served, name: str, content: bytes | None, words: str
):
    if content is None:
        file = io.BytesIO()
        frames = [Image.new("L", (20, 20), level) for level in (0, 255)]
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
        content = file.getvalue()
    paths = page.upload((name, content), ("good.png", png())).json()
    kind, (files, _, messages, *_) = page.answer(page.ask(paths))
    assert kind == "complete"
    assert [file["orig_name"] for file in files["value"]] == ["good.png"]
    assert words in messages["value"]
    assert "/" not in messages["value"].replace("</li></ul>", "")
    assert "Traceback" not in page.said()


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"paths": []}, "these are 0 pictures. Upload 1 to 20 at a time."),
        ({"paths": ["good.png"] * 21}, "these are 21 pictures."),
        ({"paths": ["good.png"], "model": "../../etc/<i>passwd"}, "there is no model ../../etc/&lt;i&gt;passwd here."),
        ({"paths": ["good.png"], "strength": 7}, "greater than maximum value 1"),
        ({"paths": ["clip.mp4"]}, "Invalid file type"),
    ],
)
def test_an_invalid_request_gets_a_message(page: Served, choices: dict, words: str):
    places = {name: page.upload((name, png())).json()[0] for name in set(choices["paths"])}
    kind, answer = page.answer(page.ask(**choices | {"paths": [places[name] for name in choices["paths"]]}))
    assert kind == "error"
    assert words in answer["error"]
    assert "Traceback" not in page.said()


def test_uploads_are_limited(page: Served):
    assert page.upload(("large.png", bytes(51 * 2**20))).status_code == 413
    connection = http.client.HTTPConnection(page.address.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", "/gradio_api/upload")
    connection.putheader("Content-Length", str(1100 * 2**20))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    chunked = httpx.post(f"{page.address}/gradio_api/upload", content=iter([b"x"]), timeout=60)
    assert chunked.status_code == 411
    said = httpx.post(f"{page.address}/gradio_api/queue/join", content=b" " * (2**20 + 1), timeout=60)
    assert said.status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:80"},
        {"host": "10.0.0.1"},
        {"host": ""},
        {"host": "[::1"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
)
def test_requests_from_other_sites_are_refused(page: Served, headers: dict[str, str]):
    for method, path in (("GET", "/"), ("GET", "/config"), ("POST", "/gradio_api/queue/join")):
        answer = httpx.request(method, page.address + path, headers=headers, timeout=60)
        assert answer.status_code in (403, 421)
        assert "cyclegan" not in answer.text


def test_a_link_from_another_site_leads_to_the_page(page: Served):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert page.get("/", **headers).status_code == 200
    assert page.get("/", host="localhost:1").status_code == 200  # a forwarded port


def test_only_files_of_the_page_are_served(page: Served, tmp_path: Path):
    (tmp_path / "secret.png").write_bytes(png())
    model = page.folder / "checkpoints" / "horses2zebras" / "model.safetensors"
    [mine] = page.upload(("mine.png", png())).json()
    assert page.get(f"/gradio_api/file={mine}").status_code == 200
    up = Path(mine).parent / ".." / ".."
    for path in (
        tmp_path / "secret.png",
        model,
        "/etc/passwd",
        "../../../../etc/passwd",
        up / "stderr.txt",
        "http://127.0.0.1/x",
        "https://example.com/x.png",
        "file:///etc/passwd",
    ):
        assert page.get(f"/gradio_api/file={path}").status_code in (403, 404), path
    for path in ("/static/..%2f..%2froutes.py", "/assets/%2e%2e/%2e%2e/index.html", "/gradio_api/proxy=http://x"):
        assert page.get(path).status_code in (403, 404), path
    for path in (
        "/gradio_api/run/translate",
        "/gradio_api/vibe-code",
        "/monitoring",
        "/docs",
        "/openapi.json",
        "/login",
    ):
        assert page.get(path).status_code == 404, path


def test_only_uploaded_pictures_are_translated(page: Served, tmp_path: Path):
    (tmp_path / "secret.png").write_bytes(png())
    kind, answer = page.answer(page.ask([str(tmp_path / "secret.png")]))
    assert kind == "error"
    assert "secret" not in str(answer)
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        page.ask(["https://example.com/x.png"])


def test_deeply_nested_json_is_refused(page: Served):
    answer = httpx.post(f"{page.address}/gradio_api/queue/join", content=b"[" * 100_000, timeout=60)
    assert answer.status_code == 400


def test_a_changed_model_is_loaded_again(page: Served):
    run = Run(page.folder / "checkpoints" / "changes")
    [path] = page.upload(("grey.png", png())).json()

    def translated() -> bytes:
        _, (files, *_) = page.answer(page.ask([path], model="changes"))
        return Path(files["value"][0]["path"]).read_bytes()

    write_model(run.model)
    before = translated()
    assert translated() == before
    write_model(run.model, blocks=2, domain_b="quaggas")
    assert translated() != before
    run.model.write_bytes(b"damaged")
    kind, answer = page.answer(page.ask([path], model="changes"))
    assert kind == "error"
    assert "is damaged or no safetensors file" in answer["error"]
    shutil.rmtree(run.folder)


def test_twenty_users_are_served_in_order_in_bounded_memory(page: Served):
    def size() -> int:
        return psutil.Process(page.process.pid).memory_info().rss

    def twenty(round_: int) -> list[int]:
        paths = [page.upload((f"{n}.png", png((200, 150), (n, round_, 0)))).json()[0] for n in range(20)]
        events = [page.ask([path]) for path in paths]
        with ThreadPoolExecutor(20) as users:
            answers = list(users.map(page.answer, events))
        assert {kind for kind, _ in answers} == {"complete"}
        places = [Path(files["value"][0]["path"]) for _, (files, *_) in answers]
        assert [place.name for place in places] == [f"{n}.png" for n in range(20)]
        return [place.stat().st_mtime_ns for place in places]

    written = twenty(0)
    before = size()
    assert written == sorted(written)
    twenty(1)
    assert size() - before < 64 * 2**20


def test_uploads_and_translations_are_deleted(tmp_path: Path):
    write_model(tmp_path / "checkpoints" / "run" / "model.safetensors")
    with serving(
        tmp_path, before="import cyclegan.web.layout as page; page.CLEANUP_SECONDS = page.MAX_AGE_SECONDS = 1"
    ) as served:
        [path] = served.upload(("x.png", png())).json()
        _, (files, *_) = served.answer(served.ask([path]))
        pictures = [Path(path), Path(files["value"][0]["path"])]
        deadline = time.monotonic() + 60
        while any(picture.exists() for picture in pictures) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(picture.exists() for picture in pictures)
        assert list(tmp_path.glob("cyclegan-ui-*"))
        served.process.send_signal(signal.SIGINT if POSIX else signal.SIGTERM)
        assert served.process.wait(30) == (130 if POSIX else 1)
        assert not list(tmp_path.glob("cyclegan-ui-*"))
    assert "Traceback" not in served.said()


def test_stored_bytes_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    middleware = SecurityMiddleware(None, tmp_path, "127.0.0.1")
    scope = {"type": "http", "path": security.UPLOAD_PATH, "headers": [(b"content-length", b"600")]}
    (tmp_path / "waiting.png").write_bytes(bytes(500))
    middleware.check_target(Request(scope))
    monkeypatch.setattr(security, "MAX_STORED_BYTES", 1000)
    with pytest.raises(HTTPException, match="Too many pictures are stored") as refused:
        middleware.check_target(Request(scope))
    assert refused.value.status_code == 507


@pytest.mark.parametrize(
    ("host", "own", "foreign"),
    [
        ("127.0.0.1", ["127.0.0.1:1", "localhost", "[::1]:1"], ["10.0.0.1", "evil.example", "127.0.0.1.evil.example"]),
        ("0.0.0.0", ["127.0.0.1", "10.0.0.1:7860", "[fe80::1]:1", socket.gethostname()], ["evil.example", ""]),
        ("lab.example", ["lab.example:1", "10.0.0.1"], ["evil.example", "example"]),
    ],
)
def test_only_its_own_hosts_are_accepted(tmp_path: Path, host: str, own: list[str], foreign: list[str]):
    middleware = SecurityMiddleware(None, tmp_path, host)
    assert all(map(middleware.is_own_host, own))
    assert not any(map(middleware.is_own_host, foreign))


def test_a_page_that_others_reach_starts_no_training(page: Served, tmp_path: Path):
    def tabs(served: Served) -> list[str]:
        components = served.get("/config").json()["components"]
        return [component["props"]["label"] for component in components if component["type"] == "tabitem"]

    assert tabs(page) == ["Translate", "Compare", "Train", "Watch"]
    with serving(tmp_path, "--host", "0.0.0.0") as served:
        assert tabs(served) == ["Translate", "Compare", "Watch"]
        dependencies = served.get("/config").json()["dependencies"]
        assert {"start", "stop", "resume", "look", "drop"}.isdisjoint(event["api_name"] for event in dependencies)


def test_a_bad_address_gets_an_error(command, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = command("ui", "--port", other.getsockname()[1])
    assert taken.returncode == 2
    assert "cannot be served at 127.0.0.1" in taken.stderr
    assert "Choose another --port." in taken.stderr
    assert command("ui", "--host", "no such host").returncode == 2
    assert "there is no model nothing." in command("ui", "--model", "nothing").stderr


def test_without_gradio_the_error_says_how_to_install_it(command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    result = command("ui")
    assert result.returncode == 2
    assert "pip install -c constraints.txt -e '.[ui]'" in result.stderr
