"""How long a unit may take to register, and what follows when it does not."""

from __future__ import annotations

import math
from itertools import pairwise

import attrs
import pytest
from decision_worlds import Core, Town, fleet, ids, unit

from trio_adaptive.config import Settings
from trio_adaptive.decision import lifecycle
from trio_adaptive.decision.lifecycle import LIFE, stage_of, startup_limit
from trio_adaptive.decision.model import Cancel, Launch
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import State


def stages(core, *names):
    return [stage_of(core.state, name) for name in ids(*names)]


def late(core, at=0.0):
    """One unit that is asked for, accepted, and does not register."""
    assert core.look(at, (), 1) == (Launch(ids("new-0")),)
    core.finish(at, "launch", ["new-0"])
    return fleet("new-0", state="requested")


def test_a_unit_that_does_not_register_in_time_is_ended_and_replaced():
    core = Core(Rules(startup_timeout=30, retry_delay=1))
    pending = late(core)
    assert core.look(30, pending, 1) == ()
    assert core.look(30.5, pending, 1) == (Cancel(ids("new-0"), ended=True),)
    assert core.note == "next launch in 1.0 s, after a failure: new-0 did not register within 30 s"
    assert stages(core, "new-0") == ["timed out"]
    core.finish(31, "cancel", ["new-0"])
    assert core.look(32, (), 1) == (Launch(ids("new-1")),)
    assert stages(core, "new-0", "new-1") == ["gone", "requested"]


def test_those_that_are_late_together_are_one_failure_and_all_are_ended():
    core = Core(Rules(startup_timeout=30))
    core.look(0, (), 3)
    pending = fleet("new-0", "new-1", "new-2", state="requested")
    assert core.look(31, pending, 3) == (Cancel(ids("new-0", "new-1", "new-2"), ended=True),)
    assert core.state.failures == 1
    assert core.state.last_error == "new-0 did not register within 30 s, and 2 more"


def test_an_end_that_fails_is_tried_again():
    core = Core(Rules(startup_timeout=30))
    pending = late(core)
    core.look(31, pending, 1)
    core.finish(32, "cancel", ["new-0"], "timed out", "hangs")
    assert core.look(33, pending, 0) == (Cancel(ids("new-0"), ended=True),)
    assert core.state.failures == 1


def test_one_that_registers_after_all_stays():
    core = Core(Rules(startup_timeout=30))
    pending = late(core)
    core.look(31, pending, 1)
    core.finish(32, "cancel", ["new-0"], "failed", "registered meanwhile, and so not cancelled: new-0")
    assert core.look(33, fleet("new-0"), 1) == ()
    assert stages(core, "new-0") == ["registered"]
    assert core.state.overdue == {}


def test_what_is_late_still_exists_and_no_other_takes_its_place_above_the_maximum():
    core = Core(Rules(startup_timeout=30, retry_delay=1), maximum=1)
    pending = late(core)
    core.look(31, pending, 1)
    assert core.look(40, pending, 1) == ()  # its end hangs
    assert core.note == "no room below the maximum until units have left"


def test_units_of_others_and_those_of_an_earlier_run_are_not_given_up():
    core = Core(Rules(startup_timeout=30))
    core.look(0, fleet("old", state="requested"), 1)
    assert core.look(1000, fleet("old", state="requested"), 1) == ()


@pytest.mark.parametrize(
    ("startups", "limit"),
    [
        ((), 600),
        ((2.0, 2.0), 600),
        ((2.0, 2.0, 2.0), 60),
        ((20.0,) * 19 + (90.0,), 200),  # one of twenty does not count
        ((20.0,) * 18 + (90.0,) * 2, 900),
    ],
)
def test_the_limit_is_learned(startups, limit):
    assert startup_limit(State(startups=startups)) == limit
    assert startup_limit(State(Rules(startup_timeout=7), startups=startups)) == 7
    assert startup_limit(State(Rules(startup_timeout=math.inf), startups=startups)) == math.inf


def test_start_ups_are_learned_from_what_is_seen():
    town = Town(Core(), startup=20.0)
    for _ in range(60):
        town.tick(5)
    assert town.core.state.startup == town.core.state.startup_p95 == 20.0
    assert startup_limit(town.core.state) == 200


def test_a_life_from_stage_to_stage():
    core = Core(Rules(idle_timeout=0, wait_count=1))
    core.look(0, (), 1)
    seen = stages(core, "new-0")
    core.finish(0, "launch", ["new-0"])
    core.look(1, fleet("new-0", state="requested"), 1)
    seen += stages(core, "new-0")
    core.look(2, fleet("new-0"), 1)
    seen += stages(core, "new-0")
    core.step(3, fleet("new-0"), 0)
    seen += stages(core, "new-0")
    core.look(4, (unit("new-0", "leaving"),), 0)
    seen += stages(core, "new-0")
    core.look(5, (), 0)
    core.finish(5, "drain", ["new-0"])
    core.look(6, (), 0)
    seen += stages(core, "new-0")
    assert seen == ["requested", "starting", "registered", "draining", "stopping", "gone"]
    assert all(after in LIFE[before] for before, after in pairwise(seen))


def test_every_stage_is_in_the_table_and_its_deadlines_are_settings():
    assert lifecycle.__doc__ is not None
    rows = [line.split("|")[1:-1] for line in lifecycle.__doc__.splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows[1:]] == list(LIFE)
    named = {row[2].strip().strip("`") for row in rows[1:] if "`" in row[2]}
    assert named == {"request_timeout", "startup_timeout", "drain_timeout", "stop_timeout"}
    assert named <= {field.name for field in attrs.fields(Settings)}


def test_from_every_stage_there_is_a_way_to_the_end():
    for stage in LIFE:
        reached, waiting = {stage}, [stage]
        while waiting:
            more = LIFE[waiting.pop()] - reached
            reached |= more
            waiting += more
        assert "gone" in reached
