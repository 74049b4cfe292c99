"""Where the web page lies: not built yet, built meanwhile, under a proxy's prefix, with accounts."""

from pathlib import Path

import pytest

from tests.support.built_page import GREETING, SCRIPT, build, get, is_index, vary
from tests.support.client import client_of
from tests.support.fixtures import Serve
from tests.support.problems import refused


@pytest.mark.parametrize(
    ("languages", "language", "words"),
    [
        (None, "en", "The page is not built yet"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", "ko", "빌드하지 않았습니다"),
        ("en-GB,ko;q=0.5", "en", "The page is not built yet"),
        ("fr", "en", "The page is not built yet"),
    ],
)
async def test_a_page_that_is_not_built_says_what_to_type(
    serve: Serve, tmp_path: Path, languages: str | None, language: str, words: str
) -> None:
    server = await serve(PAGE_PATH=tmp_path / "nowhere")
    async with client_of(server.port) as client:
        more = {"Accept_Language": languages} if languages else {}
        for path in ("/", "/settings"):
            reply = await get(client, path, **more)
            assert (reply.status, reply.headers["content-type"]) == (503, "text/html; charset=utf-8")
            assert f'<html lang="{language}">' in reply.text
            assert words in reply.text
            assert "make install" in reply.text
            assert "<script" not in reply.text
            assert reply.headers["cache-control"] == "no-store"
            assert {"accept", "accept-language"} <= vary(reply.headers)
            assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert (await get(client, "/", "*/*")).json == GREETING
        refused(await get(client, "/assets/index-1a.js"), 404)


async def test_a_page_that_is_built_while_the_service_runs_is_there_at_once(serve: Serve, tmp_path: Path) -> None:
    server = await serve(PAGE_PATH=tmp_path / "page")
    async with client_of(server.port) as client:
        assert (await get(client, "/")).status == 503
        build(tmp_path / "page")
        assert is_index(await get(client, "/"))
        first = await get(client, "/", method="HEAD")
        (tmp_path / "page" / "index.html").write_bytes(
            b"<!doctype html>newer, and longer than it was before" + b"." * 999
        )
        assert b"newer" in (await get(client, "/", If_None_Match=first.headers["etag"])).body


async def test_under_a_proxy_s_prefix_its_addresses_are_the_same(serve: Serve, tmp_path: Path) -> None:
    server = await serve(plain=True, PAGE_PATH=build(tmp_path / "built"), UVICORN_ROOT_PATH="/chat")
    async with client_of(server.port) as client:
        for path in ("/", "/settings"):
            assert is_index(await get(client, path))
        assert (await get(client, "/assets/index-1a.js")).text == SCRIPT
        refused(await get(client, "/api/nothing"), 404)


async def test_with_accounts_the_page_and_its_files_need_no_credential(serve: Serve, tmp_path: Path) -> None:
    server = await serve(PAGE_PATH=build(tmp_path / "built"), ACCOUNTS="1")
    async with client_of(server.port) as client:
        for path in ("/", "/sign-in", "/assets/index-1a.js", "/manifest.webmanifest"):
            assert (await get(client, path)).status == 200
        refused(await get(client, "/api/models"), 401)
