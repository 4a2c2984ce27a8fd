"""What a user asks for while adapting: it is kept, shown, and ends when it was said to."""

from __future__ import annotations

import pytest
from gallery_scenes import a_scene, given_back, observed, until_so

from trio_adaptive import adaptive

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

FOR = 3.0


@pytest.mark.parametrize("command", ["hold", "request"])
async def test_a_size_asked_for_is_kept_and_shown_until_it_expires(command):
    """dask/distributed#3610."""
    options = {"maximum": 4, "interval": 0.1, "idle_timeout": 0.2}
    async with a_scene() as scene, adaptive(scene.cluster, **options) as scaler:
        getattr(scaler, command)(2, for_=FOR)
        await until_so(scaler, lambda: observed(scaler) == 2)
        shown = scaler.statistics()
        assert shown.target == 2
        assert shown.wanted == 0
        if command == "hold":
            assert shown.hold is not None
            assert shown.hold.n == 2
            expiry = shown.hold.until
            assert any(reason.startswith("hold: held at 2 for another") for reason in shown.reasons)
        else:
            assert shown.floor == 2
            [expiry] = [record.command.until for record in scaler.history if record.command is not None]
            assert any(reason.startswith("request: requested at least 2") for reason in shown.reasons)
        assert given_back(scaler) == []
        await until_so(scaler, lambda: observed(scaler) == 0)
        assert given_back(scaler)[0].at >= expiry
        assert (scaler.statistics().hold, scaler.statistics().floor) == (None, 0)


async def test_a_hold_without_an_end_is_kept_until_it_is_let_go():
    """dask/distributed#3610."""
    options = {"maximum": 4, "interval": 0.1, "idle_timeout": 0.2}
    async with a_scene() as scene, adaptive(scene.cluster, **options) as scaler:
        scaler.hold(2)
        await until_so(scaler, lambda: observed(scaler) == 2)
        looks = scaler.statistics().samples
        # Far more looks than an idle worker is given otherwise.
        await until_so(scaler, lambda: scaler.statistics().samples > looks + 15)
        assert given_back(scaler) == []
        assert "hold: held at 2 until released" in scaler.statistics().reasons
        scaler.hold(None)
        await until_so(scaler, lambda: observed(scaler) == 0)
