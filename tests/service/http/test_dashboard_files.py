"""The files of the page: each is there, each is as it should be, and none is sent twice without need."""

from __future__ import annotations

import re

import pytest
from http_world import open_world

from trio_adaptive.service.http.dashboard.assets import BOKEH_FILES, PAGE

SCRIPTS = sorted(PAGE.glob("*.js"))
INDEX = (PAGE / "index.html").read_text("utf-8")


@pytest.mark.anyio
async def test_the_page_and_all_that_it_names_are_served():
    async with open_world() as world:
        page = await world.client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        named = re.findall(r'(?:src|href)="(assets/[^"]+)"', page.text)
        assert {f"assets/{name}" for name in (*BOKEH_FILES, "main.js", "style.css")} <= set(named)
        for path in named:
            answer = await world.client.get(f"/{path}")
            assert answer.status_code == 200, path
            assert answer.headers["content-type"].split(";")[0] in {
                "text/javascript",
                "text/css",
                "image/svg+xml",
            }


@pytest.mark.anyio
async def test_a_file_that_has_not_changed_is_not_sent_again():
    async with open_world() as world:
        first = await world.client.get("/assets/bokeh.min.js")
        again = await world.client.get(
            "/assets/bokeh.min.js", headers={"If-None-Match": first.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        other = await world.client.get("/assets/bokeh.min.js", headers={"If-None-Match": '"another"'})
        assert other.content == first.content


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["nothing.js", "..%2Fassets.py", "%2Fetc%2Fpasswd", "main.js%00"])
async def test_there_is_nothing_else(name):
    async with open_world() as world:
        answer = await world.client.get(f"/assets/{name}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.anyio
async def test_metrics_are_served():
    async with open_world(2) as world:
        await world.scaler.wait_for(2)
        answer = await world.client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert 'trio_adaptive_target_workers{cluster="default"} 2.0' in answer.text


def test_nothing_is_inline():
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]* src=)", INDEX) == []
    assert re.findall(r"https?://", INDEX) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_small_say_their_idea_and_import_what_is_there(script):
    text = script.read_text("utf-8")
    assert text.startswith("// ")
    assert len(text.splitlines()) < 150
    for name in re.findall(r'from "\./([^"]+)"', text):
        assert (PAGE / name).exists(), name
    assert re.findall(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text) == []


def test_every_script_is_reached_from_the_page():
    seen, waiting = set(), re.findall(r'src="assets/([^"]+)"', INDEX)
    while waiting:
        name = waiting.pop()
        if name not in seen and (PAGE / name).exists():
            seen.add(name)
            waiting += re.findall(r'from "\./([^"]+)"', (PAGE / name).read_text("utf-8"))
    assert seen == {path.name for path in SCRIPTS}
