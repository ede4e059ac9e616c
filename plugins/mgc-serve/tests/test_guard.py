"""Who may ask, and what a browser may do with the answer."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from mgc_serve.serve import address, serve

from mgc import UsageError

from . import sounds
from .conftest import Home, Running, running


@pytest.mark.parametrize("path", ["/v1/runs", "/metrics", "/health", "/openapi.json"])
def test_only_its_own_names_are_answered(path: str, server: Running) -> None:
    with server.client() as client:
        for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1:1", ""):
            assert client.get(path, headers={"Host": host}).status_code in (400, 421)
        for host in ("localhost", "127.0.0.1", "LOCALHOST", "[::1]"):
            said = client.get(path, headers={"Host": f"{host}:{server.port}"})
            assert said.status_code == 200


def test_a_page_of_another_site_is_refused(server: Running, client: httpx.Client) -> None:
    files = {"file": sounds.audio()}
    own = f"http://127.0.0.1:{server.port}"
    others = ("https://evil.example", "null", "", "http://[", f"http://localhost:{server.port}")
    for origin in (*others, f"{own}.evil.example", f"http://evil@127.0.0.1:{server.port}"):
        said = client.post("/v1/predict", headers={"Origin": origin}, files=files)
        assert said.status_code == 403
    both = [("Origin", own), ("Origin", "https://evil.example")]
    assert client.post("/v1/predict", headers=both, files=files).status_code == 403
    said = client.post("/v1/predict", headers={"Origin": own}, files=files)
    assert said.status_code == 200
    assert "access-control-allow-origin" not in said.headers
    assert "default-src 'self'" in said.headers["content-security-policy"]
    assert said.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in said.headers


def test_a_token_is_asked_for(home: Home, server: Running) -> None:
    settings = replace(server.settings, token="a b/ü", workers=1)
    with running(settings) as other, other.client() as client:
        assert client.get("/health").status_code == 200
        for given in ("", "Bearer", "Bearer a b", "Basic a b/ü", "Bearer  a b/ü"):
            said = client.get("/v1/runs", headers={"Authorization": given.encode()})
            assert (said.status_code, said.headers["www-authenticate"]) == (401, "Bearer")
            assert client.get("/metrics").status_code == 401
        right = {"Authorization": "Bearer a b/ü".encode()}
        assert client.get("/v1/runs", headers=right).status_code == 200
        # Whoever knows the token may reach it by any name, as behind a proxy.
        named = client.get("/v1/runs", headers={**right, "Host": "music.example"})
        assert named.status_code == 200


def test_an_address_that_others_reach_needs_a_token() -> None:
    with pytest.raises(UsageError, match=r"0\.0\.0\.0 could use"):
        serve(host="0.0.0.0")


def test_the_address_carries_the_token_where_browsers_keep_it() -> None:
    assert address("127.0.0.1", 80, "", "/") == "http://127.0.0.1:80/"
    assert address("::1", 1, "a b", "/review") == "http://[::1]:1/review#token=a%20b"
