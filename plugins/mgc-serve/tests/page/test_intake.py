"""How files come to the page, and what it asks of the server."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mgc_serve.page.routes import routes
from mgc_serve.settings import Settings
from starlette.applications import Starlette
from starlette.testclient import TestClient

from .browsing import Browse, drop


def test_a_folder_brings_its_music_only(browse: Browse, songs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "album" / "disc").mkdir(parents=True)
    shutil.copy(songs[0], tmp_path / "album" / "disc" / "1.wav")
    (tmp_path / "album" / "cover.jpg").write_bytes(b"jpg")
    opened = browse()
    opened.page.set_input_files("#folder", tmp_path / "album")
    opened.answered(1)
    assert opened.page.inner_text("#table tbody th") == "album/disc/1.wav"
    devtools = opened.page.context.new_cdp_session(opened.page)
    fallen = {"items": [], "files": [str(tmp_path / "album")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 200, "data": fallen})
    opened.answered(2)
    names = opened.page.locator("#table tbody th").all_inner_texts()
    assert names == ["album/disc/1.wav"] * 2


def test_the_review_is_linked_if_there_is_one() -> None:
    app = Starlette(routes=routes())
    for review in (None, "a <b>"):
        app.state.service = SimpleNamespace(settings=Settings(review=review))
        shown = TestClient(app).get("/").text
        assert ("Review labels of a &lt;b&gt;" in shown) is bool(review)
        assert ('href="review"' in shown) is bool(review)


def test_the_microphone_is_recorded_as_wav(browse: Browse) -> None:
    opened = browse(permissions=["microphone"])
    sent: list[bytes] = []
    opened.page.on(
        "request", lambda r: sent.append(r.post_data_buffer or b"") if "predict" in r.url else None
    )
    opened.page.click("#record")
    opened.until("document.getElementById('record-time').textContent >= '0:02'")
    opened.page.click("#record-stop")
    opened.answered(1)
    assert opened.page.inner_text("#table tbody th") == "Recording 1.wav"
    assert opened.page.locator("tr.done").count() == 1
    opened.until("document.querySelector('.wave input').max > 1.4")


def test_a_busy_server_is_asked_again(browse: Browse, songs: list[Path]) -> None:
    tried: list[str] = []

    def busy_once(route: Any) -> None:
        tried.append(route.request.url)
        if len(tried) > 1:
            return route.fallback()
        return route.fulfill(status=503, headers={"Retry-After": "1"}, body="{}")

    opened = browse(prepare=lambda page: page.route("**/v1/predict?*waveform*", busy_once))
    drop(opened, songs[:1])
    opened.answered(1)
    assert len(tried) == 2
    assert opened.page.locator("tr.done").count() == 1
    opened.problems = [said for said in opened.problems if "503" not in said]


def test_the_token_leaves_the_address_and_goes_with_each_request(
    browse: Browse, address: str
) -> None:
    sent: dict[str, str | None] = {}

    def watch(page: Any) -> None:
        page.on("request", lambda r: sent.update({r.url: r.headers.get("authorization")}))

    opened = browse(path="#token=a%20word", prepare=watch)
    assert opened.page.url == address
    assert {url: token for url, token in sent.items() if token} == {
        f"{address}v1/runs": "Bearer a word"
    }
