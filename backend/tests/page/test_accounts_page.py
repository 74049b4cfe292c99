"""Accounts on the page: the way in and out, keys, and a session that ends while somebody types."""

from typing import Any

from playwright.async_api import Browser, Page, expect

from tests.support.fixtures import Serve
from tests.support.people import PASSWORD, Person, administrator
from tests.support.script import say
from tests.support.watched import Watched, accessibility_problems, watched

ACCOUNTS: dict[str, Any] = {"ACCOUNTS": 1, "TITLES": 0}


async def sign(page: Page, name: str, password: str = PASSWORD, button: str = "Sign in") -> None:
    """Fill in the form that is shown, and send it."""
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name=button, exact=True).click()


async def is_in(page: Page) -> None:
    await expect(page.get_by_role("textbox", name="Message")).to_be_visible()


async def test_the_first_one_makes_the_administrators_account_and_invites_a_second(
    serve: Serve, browser: Browser
) -> None:
    server = await serve(**ACCOUNTS)
    async with watched(browser, server.url) as visitor:
        page = await visitor.open("/sign-up")
        await expect(page.get_by_text("This one will be the administrator’s")).to_be_visible()
        assert await accessibility_problems(page) == []
        await sign(page, "ann", button="Create an account")
        await is_in(page)
        await page.goto(f"{visitor.origin}/settings/people")
        await page.get_by_role("button", name="Invite somebody").click()
        await page.get_by_role("button", name="Make a link").click()
        link = await page.get_by_label("Invitation link").input_value()
        assert await accessibility_problems(page) == []
        await page.reload()
        await expect(page.get_by_role("button", name="Invite somebody")).to_be_visible()
        assert link not in await page.content()
    async with watched(browser, server.url) as guest:
        page = await guest.open(link.removeprefix(guest.origin))
        await sign(page, "bob", button="Create an account")
        await is_in(page)
        await page.goto(f"{guest.origin}/settings/account")
        await expect(page.get_by_role("main").get_by_text("bob")).to_be_visible()
        await expect(page.get_by_role("link", name="People")).to_have_count(0)


async def signed_in(visitor: Watched, name: str, path: str = "/") -> Page:
    """A tab of somebody who has come to `path` by signing in."""
    page = await visitor.open(path)
    await sign(page, name)
    return page


async def test_signing_in_leads_where_one_wanted_to_go_and_signing_out_out_of_every_tab(
    serve: Serve, browser: Browser
) -> None:
    server = await serve(**ACCOUNTS)
    await administrator(server.port)
    async with watched(browser, server.url) as visitor:
        page = await visitor.open("/settings/usage")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await sign(page, "ann", "not the password")
        await expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong. Try again.")
        await sign(page, "ann")
        await expect(page).to_have_url(f"{visitor.origin}/settings/usage")
        other = await visitor.open()
        await is_in(other)
        await page.goto(f"{visitor.origin}/settings/account")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
        await expect(other.get_by_role("textbox", name="Message")).to_have_count(0)


async def test_a_key_is_shown_once_opens_the_door_and_is_revoked(serve: Serve, browser: Browser) -> None:
    server = await serve(**ACCOUNTS)
    await administrator(server.port)
    async with watched(browser, server.url) as visitor:
        page = await signed_in(visitor, "ann", "/settings/keys")
        await page.get_by_role("button", name="New key").click()
        await page.get_by_label("What it is for").fill("laptop")
        await page.get_by_role("button", name="Make the key").click()
        key = await page.get_by_role("textbox", name="Your new key").input_value()
        program = Person(server.port, ("Authorization", f"Bearer {key}"))
        assert (await program.request("GET", "/api/conversations")).status == 200
        await page.get_by_role("button", name="I have copied it").click()
        await expect(page.get_by_text("laptop")).to_be_visible()
        await page.reload()
        await expect(page.get_by_text("laptop")).to_be_visible()
        assert key not in await page.content()
        await page.get_by_role("button", name="Revoke laptop").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
        await expect(page.get_by_text("There are no keys yet.")).to_be_visible()
        assert (await program.request("GET", "/api/conversations")).status == 401


async def test_a_session_that_ends_keeps_what_is_typed_and_goes_on_after_signing_in_again(
    serve: Serve, browser: Browser
) -> None:
    server = await serve(**ACCOUNTS)
    await administrator(server.port)
    serve.upstream.script(*say("Still here."))
    async with watched(browser, server.url) as visitor:
        page = await signed_in(visitor, "ann")
        field = page.get_by_role("textbox", name="Message")
        await field.fill("Half a thought")
        await revoke_session(visitor, server.port)
        await field.press("Enter")
        dialog = page.get_by_role("dialog", name="Sign in again")
        await dialog.get_by_label("Password", exact=True).fill(PASSWORD)
        await dialog.get_by_role("button", name="Sign in", exact=True).click()
        await expect(dialog).to_have_count(0)
        await expect(page.get_by_role("log").get_by_text("Half a thought")).to_be_visible()
        assert serve.upstream.calls == 0
        await page.get_by_role("button", name="Send again").click()
        await expect(page.get_by_role("log").get_by_text("Still here.")).to_be_visible()
        assert serve.upstream.calls == 1


async def revoke_session(visitor: Watched, port: int) -> None:
    """End the session that the browser has, without the page's knowing."""
    (cookie,) = await visitor.context.cookies()
    session = Person(port, ("Cookie", f"{cookie.get('name')}={cookie.get('value')}"))
    assert (await session.request("POST", "/api/auth/sign-out")).status == 204


async def test_what_was_asked_is_on_the_usage_page(serve: Serve, browser: Browser) -> None:
    server = await serve(**ACCOUNTS)
    await administrator(server.port)
    serve.upstream.script(*say("Three ", "colours."))
    async with watched(browser, server.url) as visitor:
        page = await signed_in(visitor, "ann")
        await page.get_by_role("textbox", name="Message").fill("Which colours?")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("log").get_by_text("Three colours.")).to_be_visible()
        await page.goto(f"{visitor.origin}/settings/usage")
        row = page.get_by_role("row").filter(has_text="gpt-3.5-turbo")
        await expect(row.first).to_contain_text("12")
