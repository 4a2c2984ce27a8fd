"""What goes wrong stands above everything else, in words, and can be read by everybody."""

from __future__ import annotations

import httpx
import pytest
from service_process import SLOW

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=SLOW * 1000)

pytestmark = [pytest.mark.service, pytest.mark.integration]


@pytest.fixture(scope="module")
def url(start):
    """A service none of whose workers ever starts."""
    command = "sh -c 'echo no licence for {name} >&2; exit 1'"
    options = ("--worker-command", command, "--maximum", "2", "--no-dashboard", "--plain")
    url = start("up", *options, "--listen", "127.0.0.1:0").url()
    with httpx.Client(base_url=f"{url}/api/v1/clusters/default") as client:
        client.post("/requests", json={"n": 1}).raise_for_status()
        client.post("/pause", json={"direction": "shrinking"}).raise_for_status()
    return url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_launches_that_fail_are_told_with_their_last_words(open_page, url, scheme):
    page = open_page(url, color_scheme=scheme)
    notices = page.get_by_role("list", name="Notices")
    expect(notices).to_contain_text("no licence for adaptive-")
    expect(notices).to_contain_text("Paused: shrinking.")
    expect(page.locator("#reasons")).to_contain_text("requested at least 1")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_what_it_cannot_know_is_said_to_be_unknown(open_page, url):
    page = open_page(url)
    said = page.evaluate(
        "import('/assets/notices.js').then(async ({ noticesOf }) => { const { ask } = await import('/assets/api.js');"
        " const status = await ask('clusters/default'); return noticesOf({ ...status, stage: 'stopped', stop_reason: 'told so',"
        " unanswered: 'no line', breaker: 'open', journal: 'the disk is full', degraded: 'no probe', blocked: ['1 task needs GPU=1'] })"
        " .map((each) => each.words); })"
    )
    assert said[:2] == ["Not adapting: told so.", "No answer, so the size is held: no line"]
    assert said[2].startswith("The breaker is open")
    assert said[-3:] == [
        "1 task needs GPU=1",
        "Less is known than could be: no probe",
        "The journal is not being written: the disk is full",
    ]
