"""A request from the page, on a service of its own: it lasts longer than a test."""

from __future__ import annotations

import pytest
from service_process import SLOW

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=SLOW * 1000)

pytestmark = [pytest.mark.service, pytest.mark.integration]


def test_a_request_brings_workers_without_any_work(page, api):
    page.get_by_label("At least").fill("2")
    page.locator("#requests").get_by_label("for").fill("20 min")
    page.get_by_role("button", name="Request").click()
    expect(page.locator("#notices")).to_contain_text("At least 2 requested until")
    expect(page.locator("#decisions")).to_contain_text("requested at least 2")
    expect(page.locator("#workers tr .is-ready")).to_have_count(2)
    assert api.get("").raise_for_status().json()["floor"]["n"] == 2
