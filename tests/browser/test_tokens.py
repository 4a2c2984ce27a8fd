"""Where the service wants a token, the page asks for one, keeps it for the tab, and says what it is not enough for."""

from __future__ import annotations

import pytest
from service_process import SLOW

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=SLOW * 1000)

pytestmark = [pytest.mark.service, pytest.mark.integration]

READS, OPERATES = "r" * 24, "o" * 24


@pytest.fixture(scope="module")
def url(start, tmp_path_factory):
    """A service that lets nobody in without a token."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    tokens.write_text(
        f"""
[[tokens]]
name = "bea"
token = "{READS}"
role = "read"

[[tokens]]
name = "ann"
token = "{OPERATES}"
role = "operate"
"""
    )
    tokens.chmod(0o600)
    options = ("--maximum", "1", "--no-dashboard", "--plain", "--tokens", str(tokens))
    return start("up", *options, "--listen", "127.0.0.1:0").url()


@pytest.fixture
def enter(open_page, url):
    """Opens the page and answers its question, until it is satisfied."""

    def enter(*tokens):
        page = open_page(url)
        for token in tokens:
            expect(page.get_by_role("dialog")).to_contain_text("a bearer token")
            page.get_by_role("textbox", name="Token").fill(token)
            page.keyboard.press("Enter")
        page.wait_for_selector("#connection[data-state=live]")
        return page

    yield enter
    # What browsers note of refusals is what was to be seen here.
    open_page.faults[:] = [each for each in open_page.faults if "401" not in each and "403" not in each]


def test_it_is_asked_for_until_it_counts_and_kept_for_the_tab_alone(enter):
    page = enter("w" * 24, OPERATES)
    assert page.evaluate("Object.keys(localStorage).length + document.cookie.length") == 0
    assert page.locator("#token-text").input_value() == ""
    page.reload()
    page.wait_for_selector("#connection[data-state=live]")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_what_is_done_with_it_is_recorded_by_its_name(enter):
    page = enter(OPERATES)
    page.get_by_role("button", name="Pause growing").click()
    told = page.locator("#decisions > li", has_text="growing paused").first
    expect(told).to_contain_text("command by ann from 127.0.0.1")
    page.get_by_role("button", name="Resume growing").click()
    expect(page.get_by_role("button", name="Pause growing")).to_be_visible()


def test_who_may_read_only_is_told_so(enter):
    page = enter(READS)
    page.get_by_role("button", name="Pause growing").click()
    expect(page.locator("#said.wrong")).to_have_text("bea may read, and not operate")
    expect(page.get_by_role("button", name="Pause growing")).to_have_attribute("aria-pressed", "false")
