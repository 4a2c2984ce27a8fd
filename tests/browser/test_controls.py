"""What is changed on the page is changed in the service, and what the service refuses is said where it was typed."""

from __future__ import annotations

import pytest
from service_process import SLOW

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=SLOW * 1000)

pytestmark = [pytest.mark.service, pytest.mark.integration]


def status(api):
    return api.get("").raise_for_status().json()


@pytest.mark.parametrize("direction", ["growing", "shrinking"])
def test_pause_and_resume(page, api, direction):
    page.get_by_role("button", name=f"Pause {direction}").click()
    resume = page.get_by_role("button", name=f"Resume {direction}")
    expect(resume).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#notices")).to_contain_text(f"Paused: {direction}.")
    assert status(api)["paused"] == [direction]
    resume.click()
    expect(page.get_by_role("button", name=f"Pause {direction}")).to_have_attribute("aria-pressed", "false")
    assert status(api)["paused"] == []


def test_limits(page, api):
    page.get_by_label("Maximum").fill("2")
    page.get_by_role("button", name="Set limits").click()
    expect(page.get_by_text("Limits set.")).to_be_visible()
    assert status(api)["maximum"] == 2
    page.get_by_label("Maximum").fill("")
    page.get_by_role("button", name="Set limits").click()
    expect(page.locator("#figures")).to_contain_text("0 to any number")
    assert status(api)["maximum"] is None
    api.patch("/limits", json={"maximum": 3}).raise_for_status()
    page.get_by_role("heading", name="Control").click()
    expect(page.get_by_label("Maximum")).to_have_value("3")  # somebody else's change shows as well


def test_hold_and_let_go(page, api):
    page.get_by_label("Hold at").fill("1")
    page.locator("#hold").get_by_label("for").fill("10 min")
    page.get_by_role("button", name="Hold", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("Held at 1 until")
    assert status(api)["hold"]["n"] == 1
    let_go = page.get_by_role("button", name="Let go")
    let_go.click()
    expect(let_go).to_be_disabled()
    assert status(api)["hold"] is None


def test_the_record_tells_who_it_was(page):
    page.get_by_role("button", name="Pause growing").click()
    expect(page.locator("#decisions > li", has_text="growing paused").first).to_contain_text(
        "command by local from 127.0.0.1"
    )
    page.get_by_role("button", name="Resume growing").click()


@pytest.mark.parametrize(
    "wrong",
    [
        ("Minimum", "many", "Set limits", "minimum"),
        ("Minimum", "9", "Set limits", "minimum"),  # above the maximum
        ("Hold at", "-1", "Hold", "n: "),
        ("Hold at", "", "Hold", "n: "),
        ("At least", "2.5", "Request", "n: "),
    ],
)
def test_what_is_refused_is_said_and_changes_nothing(page, api, open_page, wrong):
    field, text, button, said = wrong
    before = status(api)
    page.get_by_label(field).fill(text)
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.locator("#said.wrong")).to_contain_text(said)
    expect(page.get_by_label(field)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label(field)).to_be_focused()
    after = status(api)
    assert [after[name] for name in ("minimum", "maximum", "hold", "floor")] == [
        before[name] for name in ("minimum", "maximum", "hold", "floor")
    ]
    open_page.faults[:] = [fault for fault in open_page.faults if "422" not in fault]


def test_with_the_keyboard_alone(page, api):
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the workers")).to_be_focused()
    page.keyboard.press("Enter")
    reach(page, "#pause-growing")
    page.keyboard.press("Space")
    expect(page.locator("#pause-growing")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Space")
    expect(page.locator("#pause-growing")).to_have_attribute("aria-pressed", "false")
    reach(page, "#limits [name=maximum]")
    page.keyboard.press("Control+A")
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Limits set.")
    assert status(api)["maximum"] == 4
    page.keyboard.press("Control+A")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(page.locator("#figures")).to_contain_text("0 to 3")


def reach(page, selector):
    """Go there by the Tab key; each stop on the way can be seen."""
    for _ in range(40):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "() => { const at = document.activeElement; return at === document.body ? 'body' : getComputedStyle(at).outlineStyle; }"
        )
        assert outline != "none"
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} is not reached")
