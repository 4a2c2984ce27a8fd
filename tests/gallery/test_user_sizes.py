"""What a user asks for while adapting: it is kept, shown, and ends when it was said to."""

from __future__ import annotations

import pytest
from gallery_scenes import a_scene, given_back, observed, until_so

from trio_adaptive import adaptive
from trio_adaptive.decision.model import AddRequest, SetHold

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.gallery]

FOR = 2.0


@pytest.mark.parametrize("command", ["hold", "request"])
async def test_a_size_asked_for_is_kept_and_shown_until_it_expires(command):
    """dask/distributed#3610."""
    words = {"hold": "hold: held at 2 for another", "request": "request: requested at least 2 for another"}
    options = {"minimum": 2, "maximum": 4, "interval": 0.1, "idle_timeout": 0.2}
    async with a_scene() as scene, adaptive(scene.cluster, **options) as scaler:
        await until_so(scaler, lambda: observed(scaler) == 2)
        getattr(scaler, command)(2, for_=FOR)
        scaler.set_limits(minimum=0)
        await until_so(scaler, lambda: any(r.startswith(words[command]) for r in scaler.statistics().reasons))
        shown = scaler.statistics()
        assert (shown.wanted, shown.target) == (0, 2)
        if command == "hold":
            assert shown.hold is not None
            assert shown.hold.n == 2
        else:
            assert shown.floor.n == 2
        expiry = next(r.command.until for r in scaler.history if isinstance(r.command, SetHold | AddRequest))
        assert given_back(scaler) == []
        await until_so(scaler, lambda: observed(scaler) == 0)
        assert given_back(scaler)[0].at >= expiry
        assert (scaler.statistics().hold, scaler.statistics().floor) == (None, None)


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
