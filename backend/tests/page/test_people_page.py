"""What an administrator does with people, what everybody does with their own password, and what goes with somebody."""

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.people import PASSWORD, Person, administrator
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.watched import accessibility_problems, watched

SHARED_SETTINGS = {"ACCOUNTS": 1, "TITLES": 0}


@pytest.fixture(scope="module")
async def ann(module_server: Server) -> Person:
    """The administrator."""
    return await administrator(module_server.port)


@pytest.fixture
async def admins_page(ann: Person, shared_server: Server, browser: Browser) -> AsyncGenerator[Page]:
    """Where the administrator sees to people."""
    async with watched(browser, shared_server.url) as visitor:
        await visitor.be(ann)
        yield await visitor.open("/settings/people")


def dialog(page: Page, name: str) -> Locator:
    return page.get_by_role("dialog", name=name)


async def change(page: Page, name: str, access: str) -> None:
    """Let somebody in, or keep them out."""
    await page.get_by_role("button", name=f"Change {name}").click()
    await dialog(page, name).get_by_role("radio", name=access).check()
    await dialog(page, name).get_by_role("button", name="Save").click()
    await expect(dialog(page, name)).to_have_count(0)


async def test_whoever_is_suspended_is_out_at_once_and_may_come_back(
    ann: Person, admins_page: Page, shared_server: Server, browser: Browser
) -> None:
    bob = await ann.invited("bob")
    await admins_page.reload()
    async with watched(browser, shared_server.url) as visitor:
        await visitor.be(bob)
        page = await visitor.open("/settings/account")
        await expect(page.get_by_role("main").get_by_text("bob")).to_be_visible()
        await change(admins_page, "bob", "Suspended")
        row = admins_page.get_by_role("listitem").filter(has=admins_page.get_by_role("button", name="Change bob"))
        await expect(row).to_contain_text("Suspended")
        await page.get_by_role("link", name="API keys").click()
        again = dialog(page, "Sign in again")
        await again.get_by_label("Password", exact=True).fill(PASSWORD)
        await again.get_by_role("button", name="Sign in", exact=True).click()
        await expect(again.get_by_text("The name or the password is wrong.")).to_be_visible()  # no word to a stranger
        await change(admins_page, "bob", "May sign in")
        await again.get_by_role("button", name="Sign in", exact=True).click()
        await expect(again).to_have_count(0)
        await expect(page.get_by_text("There are no keys yet.")).to_be_visible()


async def test_limits_are_set_for_one_user_and_what_is_no_number_is_said(
    ann: Person, admins_page: Page, shared_server: Server, browser: Browser
) -> None:
    cho = await ann.invited("조은")
    await admins_page.reload()
    await admins_page.get_by_role("button", name="Change 조은").click()
    form = dialog(admins_page, "조은")
    field = form.get_by_label("Tokens a day")
    await field.fill("many")
    await expect(field).to_have_accessible_description("Enter a number of 0 or more.")
    await field.fill("5000")
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_have_count(0)
    async with watched(browser, shared_server.url) as visitor:
        await visitor.be(cho)
        page = await visitor.open("/settings/usage")
        await expect(page.get_by_text("5,000 of 5,000 left")).to_be_visible()


async def test_the_only_administrator_stays_one(ann: Person, admins_page: Page) -> None:
    await admins_page.get_by_role("button", name=f"Change {ann.name}").click()
    form = dialog(admins_page, ann.name)
    await expect(form.get_by_role("radio", name="Suspended")).to_have_count(0)
    await form.get_by_role("radio", name="User").check()
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_text("This is the only administrator.")).to_be_visible()


async def test_an_invitation_is_revoked_and_that_is_on_the_record(ann: Person, admins_page: Page) -> None:
    made = (await ann.request("POST", "/api/admin/invitations", json={"role": "user"})).json
    await admins_page.reload()
    await admins_page.get_by_role("listitem").filter(has_text="For: User").get_by_role("button", name="Revoke").click()
    await dialog(admins_page, "Revoke this invitation?").get_by_role("button", name="Revoke", exact=True).click()
    await expect(admins_page.get_by_text("No invitation is open.")).to_be_visible()
    await admins_page.reload()
    await expect(admins_page.get_by_role("listitem").filter(has_text="Invitation revoked").first).to_be_visible()
    refused = await Person(ann.port).sign("up", "eve", invitation=made["invitation"])
    assert refused.status == 403


async def test_another_password_ends_the_sessions_elsewhere_but_not_this_one(
    ann: Person, shared_server: Server, browser: Browser
) -> None:
    dan = await ann.invited("dan")
    async with watched(browser, shared_server.url) as visitor:
        page = await visitor.open("/settings/account")
        await page.get_by_label("Name", exact=True).fill("dan")
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.get_by_label("Current password").fill("something else")
        await page.get_by_label("New password").fill("another horse battery")
        await page.get_by_role("button", name="Change the password").click()
        await expect(page.get_by_text("The current password is wrong.")).to_be_visible()
        await page.get_by_label("Current password").fill(PASSWORD)
        await page.get_by_role("button", name="Change the password").click()
        await expect(page.get_by_text("The password is changed.")).to_be_visible()
        assert (await dan.request("GET", "/api/conversations")).status == 401
        await page.reload()
        await expect(page.get_by_role("main").get_by_text("dan")).to_be_visible()


async def test_somebody_else_who_signs_in_then_starts_with_nothing_of_the_one_before(
    ann: Person, shared_server: Server, browser: Browser
) -> None:
    eun = await ann.invited("eun")
    await ann.invited("fay")
    await Talk.begin(eun, title="Of Eun alone")
    async with watched(browser, shared_server.url) as visitor:
        await visitor.be(eun)
        page = await visitor.open()
        await expect(page.get_by_role("link", name="Of Eun alone", exact=True)).to_be_visible()
        await page.get_by_role("textbox", name="Message").fill("Half a thought of Eun’s")
        await visitor.context.clear_cookies()
        await page.keyboard.press("Enter")
        again = dialog(page, "Sign in again")
        await expect(again).to_be_visible()
        assert await accessibility_problems(page) == []
        await again.get_by_label("Name", exact=True).fill("fay")
        await again.get_by_label("Password", exact=True).fill(PASSWORD)
        await again.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.get_by_text("What you ask will be kept here.")).to_be_visible()
        await expect(page.get_by_text("Half a thought")).to_have_count(0)
        await expect(page.get_by_role("textbox", name="Message")).to_have_value("")


async def test_a_deletion_that_is_held_back_is_sent_before_one_is_signed_out(
    ann: Person, shared_server: Server, browser: Browser
) -> None:
    gil = await ann.invited("gil")
    talk = await Talk.begin(gil, title="Not any more")
    async with watched(browser, shared_server.url) as visitor:
        page = await visitor.open("/settings/account")
        await page.get_by_label("Name", exact=True).fill("gil")
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        row = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="Not any more", exact=True))
        await row.hover()
        await row.get_by_role("button").click()
        await page.get_by_role("menuitem", name="Delete").click()
        await expect(page.get_by_role("button", name="Undo")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert (await gil.request("GET", talk.path)).status == 404
