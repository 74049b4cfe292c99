"""/docs and /redoc work in a browser without any network, under a strict policy; the schema tells the truth."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page

from tests.support.client import CHAT, Client
from tests.support.server import Server

OPERATIONS = {
    "/": ["get"],
    "/health": ["get"],
    "/ready": ["get"],
    "/api/chat/stream": ["get", "post"],
    "/api/agui": ["post"],
    "/v1/chat/completions": ["post"],
    "/v1/models": ["get"],
    "/v1/models/{model}": ["get"],
    "/api/models": ["get"],
    "/api/conversations": ["get", "post"],
    "/api/conversations/{conversation_id}": ["delete", "get", "patch"],
    "/api/conversations/{conversation_id}/messages": ["get"],
    "/api/conversations/{conversation_id}/messages/{message_id}/edit": ["post"],
    "/api/conversations/{conversation_id}/messages/{message_id}/regenerate": ["post"],
    "/api/conversations/{conversation_id}/messages/{message_id}/continue": ["post"],
    "/api/conversations/{conversation_id}/export": ["get"],
    "/api/export": ["get"],
    "/api/import": ["post"],
    "/api/search": ["get"],
    "/api/events": ["get"],
    "/api/auth": ["get"],
    "/api/auth/sign-up": ["post"],
    "/api/auth/sign-in": ["post"],
    "/api/auth/sign-out": ["post"],
    "/api/auth/me": ["get"],
    "/api/auth/password": ["post"],
    "/api/keys": ["get", "post"],
    "/api/keys/{key_id}": ["delete"],
    "/api/admin/users": ["get"],
    "/api/admin/users/{user_id}": ["patch"],
    "/api/admin/invitations": ["get", "post"],
    "/api/admin/invitations/{invitation_id}": ["delete"],
    "/api/admin/audit": ["get"],
    "/api/admin/usage": ["get"],
    "/api/usage": ["get"],
    "/api/runs/{run_id}": ["get"],
    "/api/runs/{run_id}/events": ["get"],
    "/api/runs/{run_id}/cancel": ["post"],
}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
OPENAI_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIErrorBody"}}}
VIOLATIONS = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.__violations.push(event.violatedDirective + " " + event.blockedURI);
});
"""


class Watched:
    """What a page asked for and complained about."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"threw: {error}"))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


async def schema_of(client: Client) -> dict[str, Any]:
    reply = await client.request("GET", "/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return reply.json


# ── In a browser ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "operations", "height"),
    [("/docs", ".opblock-summary-path", 1600), ("/redoc", "[data-item-id] label", 1200)],
)
async def test_the_documentation_renders_offline_from_our_own_files(
    browser_page: Page, shared_server: Server, tmp_path: Path, path: str, operations: str, height: int
) -> None:
    watched = Watched(browser_page)
    await browser_page.set_viewport_size({"width": 1200, "height": height})
    await browser_page.add_init_script(VIOLATIONS)
    await browser_page.goto(f"{shared_server.url}{path}")
    await browser_page.wait_for_function(
        "([selector, number]) => document.querySelectorAll(selector).length >= number", arg=[operations, 9]
    )
    await browser_page.wait_for_load_state("networkidle")
    text = await browser_page.inner_text("body")
    if path == "/docs":
        shown = await browser_page.locator(operations).all_inner_texts()
        assert {name.replace("\u200b", "") for name in shown} == set(OPERATIONS)
    for words in ("AI Chat Service", "Ask, by POST", "Read a run's log", "Stop a run"):
        assert words in text
    await browser_page.screenshot(path=tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert await browser_page.evaluate("window.__violations") == []
    assert watched.complaints == []
    origin = urlsplit(shared_server.url).netloc
    assert {urlsplit(url).netloc for url in watched.requests if not url.startswith(("data:", "blob:"))} == {origin}


async def test_a_question_can_be_asked_from_the_documentation(browser_page: Page, shared_server: Server) -> None:
    await browser_page.goto(f"{shared_server.url}/docs")
    block = browser_page.locator(".opblock-post", has_text="Ask, by POST")
    await block.locator(".opblock-summary").click()
    await block.get_by_role("button", name="Try it out").click()
    await block.get_by_role("button", name="Execute").click()
    await block.locator(".live-responses-table .response .microlight").first.wait_for()
    assert "Hello" in await block.locator(".live-responses-table").inner_text()


# ── The schema ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_schema_lists_every_operation_once(shared_client: Client) -> None:
    schema = await schema_of(shared_client)
    assert {path: sorted(methods) for path, methods in schema["paths"].items()} == OPERATIONS
    ids = [operation["operationId"] for methods in schema["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] for methods in schema["paths"].values() for operation in methods.values())


async def test_the_schema_has_examples_of_requests_and_streams(shared_client: Client) -> None:
    schema = await schema_of(shared_client)
    examples = schema["components"]["schemas"]["ChatRequest"]["examples"]
    assert any("history" in example for example in examples)
    for example in examples:
        assert (await shared_client.request("POST", CHAT, json=example)).status == 200
    for method in ("get", "post"):
        streams = schema["paths"][CHAT][method]["responses"]["200"]["content"]["text/event-stream"]["examples"]
        assert all('data: {"done": true}\n\n' in example["value"] for example in streams.values())


async def test_every_refusal_is_documented_as_the_problem_it_is(shared_client: Client) -> None:
    schema = await schema_of(shared_client)
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
            for status, answer in errors.items():
                shape = OPENAI_ERROR if path.startswith("/v1/") else PROBLEM
                assert answer["content"] == shape, (method, path, status)
                assert answer["description"]
            if path.startswith(("/api/", "/v1/")):
                assert {"403", "421"} <= set(errors), (method, path)
    assert {"400", "404", "413", "415", "422", "503"} <= set(schema["paths"][CHAT]["post"]["responses"])
    assert {"400", "404", "414", "422", "503"} <= set(schema["paths"][CHAT]["get"]["responses"])


async def test_the_schema_of_a_problem_is_what_a_problem_is(shared_client: Client) -> None:
    problem = (await schema_of(shared_client))["components"]["schemas"]["ProblemBody"]
    reply = await shared_client.request("POST", CHAT, json={"message": 7})
    assert set(reply.json) == set(problem["properties"])
    assert {"title", "status", "detail", "code"} <= set(problem["required"])


async def test_a_run_and_its_neighbours_have_real_schemas(shared_client: Client) -> None:
    schema = await schema_of(shared_client)

    def answer(path: str, method: str, status: str) -> dict[str, Any]:
        content = schema["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
        return schema["components"]["schemas"][content["$ref"].rpartition("/")[2]]

    run = answer("/api/runs/{run_id}", "get", "200")
    asked = await shared_client.ask("What are you like?")
    body = (await shared_client.run(asked.run_id)).json
    assert set(body) <= set(run["properties"])
    assert set(run["required"]) <= set(body)
    statuses = {"queued", "running", "completed", "cancelled", "failed", "interrupted"}
    assert set(run["properties"]["status"]["enum"]) == statuses
    cancelled = (await shared_client.cancel(asked.run_id)).json
    assert set(answer("/api/runs/{run_id}/cancel", "post", "202")["properties"]) == set(cancelled) == {"id", "status"}
    assert set(answer("/api/models", "get", "200")["properties"]) >= {"items", "next"}
