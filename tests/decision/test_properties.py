"""What holds of the decision in any run: a model cluster with every kind of bad luck, and looks that are out of date.

The model knows the truth; the core knows only what it is told, late. Every step of the core is checked against the
truth, except for what nobody could have known: accidents that happened after the latest look was taken.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from attrs import define, evolve, field
from decision_worlds import Core, fleet, ids, of_kind, rank, unit
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from journal_kit import through_a_journal
from limiters_kit import percent, rate

from trio_adaptive.decision.decide import decide
from trio_adaptive.decision.lifecycle import LIFE, stage_of
from trio_adaptive.decision.limits import Limits, Window
from trio_adaptive.decision.model import (
    SERVING,
    Action,
    AddRequest,
    Cancel,
    Drain,
    Event,
    Finished,
    Launch,
    Load,
    Outcome,
    Recall,
    Sample,
    Sampled,
    SampleFailed,
    SetHold,
    SetLimits,
    SetPause,
    SetSchedule,
    Stop,
    Suggest,
    Suggested,
    Unit,
    UnitId,
    WorkerName,
)
from trio_adaptive.decision.rules import Rules
from trio_adaptive.decision.state import State
from trio_adaptive.decision.victims import whole_units

ENDED = ("failed", "lost")


@define
class Leave:
    """A drain on its way: cancelling it helps until it is committed."""

    committed: bool = False


@define
class Look:
    """A look that has begun. ``units`` is what it has seen, at ``moment``; None: it has not seen anything yet."""

    begun: float
    moment: int = 0
    units: tuple[Unit, ...] | None = None


@define
class Town:
    """The true world.

    Attributes:
        moment: counts what happens, since several things happen at one time.
        lost_at: when a unit stopped serving without our doing, as a moment.
        came_at: when a unit appeared without our doing.
    """

    size: int = 1
    moment: int = 0
    units: dict[UnitId, Unit] = field(factory=dict)
    launches: list[tuple[UnitId, ...]] = field(factory=list)
    cancels: list[tuple[UnitId, ...]] = field(factory=list)
    drains: dict[UnitId, Leave] = field(factory=dict)
    recalls_refused: list[UnitId] = field(factory=list)
    recalls_granted: list[UnitId] = field(factory=list)
    ever: set[UnitId] = field(factory=set)
    lost_at: dict[UnitId, int] = field(factory=dict)
    came_at: dict[UnitId, int] = field(factory=dict)

    @property
    def existing(self) -> set[UnitId]:
        return {u.id for u in self.units.values() if u.state not in ENDED}

    @property
    def cancelling(self) -> set[UnitId]:
        return {name for group in self.cancels for name in group}

    @property
    def leaving(self) -> set[UnitId]:
        return self.cancelling | (self.drains.keys() - set(self.recalls_granted))

    @property
    def serving(self) -> set[UnitId]:
        return {u.id for u in self.units.values() if u.state in SERVING} - self.leaving

    def change(self, name: UnitId, **what: Any) -> None:
        """A change that is no deed of ours."""
        self.moment += 1
        before = self.serving
        self.units[name] = evolve(self.units[name], **what)
        self.lost_at |= dict.fromkeys(before - self.serving, self.moment)

    def vanish(self, name: UnitId) -> None:
        """The unit is gone; whoever had not ordered that may be surprised."""
        self.moment += 1
        if name in self.serving:
            self.lost_at[name] = self.moment
        self.units.pop(name, None)

    def appear(self, new: Unit) -> None:
        self.moment += 1
        self.units[new.id] = new
        self.came_at[new.id] = self.moment
        self.ever.add(new.id)

    def obey(self, action: Action) -> None:
        self.moment += 1
        match action:
            case Launch(units):
                for name in units:
                    self.units[name] = unit(name, "planned", size=self.size)
                self.ever |= set(units)
                self.launches.append(units)
            case Cancel(units):
                self.cancels.append(units)
            case Drain(units):
                self.drains |= {name: Leave() for name in units}
            case Recall(units):
                for name in units:
                    late = self.drains[name].committed
                    (self.recalls_refused if late else self.recalls_granted).append(name)


PATIENT = Rules(interval=1, wait_count=2, idle_timeout=None, retry_delay=1, retry_delay_max=4)
STRICT = evolve(PATIENT, startup_timeout=4, breaker_failures=2, retry_jitter=0.5)
HASTY = evolve(PATIENT, wait_count=1, idle_timeout=0, strangers="ignore")
LIMITED = evolve(
    PATIENT,
    pending_timeout=3,
    limits=Limits(
        stabilization_up=0.5,
        stabilization_down=5,
        rate_up=(rate(2, 3), percent(50, 10)),
        rate_down=(rate(2, 5),),
        max_launching=2,
        tolerance_down=0.1,
        budget=1.0,
        budget_period=400,
        fallback="static",
        fallback_size=4,
        fallback_after=1,
    ),
)
EVERY_RULE = [PATIENT, HASTY, STRICT, LIMITED]

MOVES: list[tuple[float, str, dict[str, Sequence[Any]]]] = []
"""What may happen in a run: how likely it is, the method's name, and the values of its arguments."""

PICKS = range(100)
FEW = range(7)
YES_OR_NO = (False, True)


def move(weight: float = 1, **choices: Sequence[Any]) -> Callable[[Any], Any]:
    """A rule for hypothesis, and a move of the runs that are thrown by dice."""

    def register(method: Any) -> Any:
        MOVES.append((weight, method.__name__, choices))
        return rule(**{name: st.sampled_from(values) for name, values in choices.items()})(method)

    return register


class AnyRun(RuleBasedStateMachine):
    """All that can happen to the core, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.town = Town()
        self.state = self.first = State()
        self.events: list[Event] = []
        self.records: list[Any] = []
        self.now = 0.0
        self.seen = 0
        self.looks: list[Look] = []
        self.questions: list[Suggest] = []
        self.shown: set[UnitId] = set()
        self.stopped = False

    @initialize(
        rules=st.sampled_from(EVERY_RULE),
        minimum=st.integers(0, 3),
        more=st.sampled_from(FEW),
        size=st.integers(1, 2),
    )
    def begin(self, rules: Rules, minimum: int, more: int, size: int) -> None:
        low, high = minimum * size, (minimum + more) * size
        self.state = self.first = State(rules=rules, minimum=low, maximum=high, prefix="new")
        self.town.size = size

    # The core: every event goes through here.

    def feed(self, event: Event) -> tuple[Action, ...]:
        self.events.append(event)
        before = {name: stage_of(self.state, name) for name in self.town.ever}
        earlier = self.state
        self.state, actions, record = decide(self.state, event)
        self.records.append(record)
        for name, stage in before.items():
            # Who had not come into sight begins with the first look at it, however far it has come.
            after = stage_of(self.state, name)
            assert after == stage or after in LIFE[stage] or name not in self.shown, (name, stage, after)
        self.shown |= {name for name in self.town.ever if stage_of(self.state, name) != "gone"}
        assert record.at == event.at
        self.check(actions)
        self.check_growth(event, actions)
        self.check_failures(earlier, event, actions)
        for action in actions:
            if isinstance(action, Suggest):
                self.questions.append(action)
            else:
                self.town.obey(action)
        return actions

    def check(self, actions: tuple[Action, ...]) -> None:
        town = self.town
        launched, recalled = of_kind(actions, Launch), of_kind(actions, Recall)
        drained, cancelled = of_kind(actions, Drain), of_kind(actions, Cancel)
        surprises = {name for name, moment in town.came_at.items() if moment > self.seen}
        accidents = {name for name, moment in town.lost_at.items() if moment > self.seen}
        seen = self.state.sample.units if self.state.sample else ()
        cleaned = set(self._ended(actions))
        assert cleaned <= {u.id for u in seen if u.state in ENDED} | self.state.overdue.keys()
        given_back = {*drained, *cancelled} - cleaned - accidents

        if launched:
            assert len(town.existing - surprises) + len(launched) <= self.state.most
            starting = len(self.in_state("planned", "requested")) + len(launched)
            assert starting <= self.state.rules.limits.max_launching
        if given_back:
            staying = town.serving - given_back
            assert given_back <= town.serving | (town.ever - town.units.keys())
            assert len(staying | accidents - given_back) >= self.state.least
            assert not launched
            assert not recalled
        if self.stopped:
            assert not launched + recalled + drained
            assert not given_back

        assert len(set(launched)) == len(launched)
        assert not town.ever & set(launched)
        in_flight = town.cancelling | town.drains.keys()
        assert not in_flight & {*launched, *drained, *cancelled}
        assert len({*drained, *cancelled}) == len(drained + cancelled)
        assert set(recalled) <= town.drains.keys() - {*town.recalls_refused, *town.recalls_granted}
        for action in actions:
            if isinstance(action, Drain) and action.only_idle:
                assert all(self.state.sample.by_id[name].idle is not None for name in action.units)
        assert not {u for u, r in self.state.refusals.items() if r.until > self.now}.intersection(drained)
        assert len(self.records[-1].decision.chosen if self.records[-1].decision else ()) == len(
            [*drained, *cancelled]
        ) - len(self._ended(actions))
        for name in drained:
            assert name not in town.units or town.units[name].ours or self.state.rules != HASTY

    def check_growth(self, event: Event, actions: tuple[Action, ...]) -> None:
        """Whatever hangs or is on its way: what is missing is asked for in the same step, unless for one of two reasons."""
        decision = self.records[-1].decision
        if decision is None or not isinstance(event, Sampled) or self.stopped:
            return
        more = len(of_kind(actions, Launch)) + len(of_kind(actions, Recall))
        if more >= decision.final - decision.active or self.state.failures:  # the pause after a failure
            return
        believed = {u.id for u in event.sample.units if u.state not in ENDED} | self.state.flights.keys()
        assert "no room below the maximum" in decision.note
        assert len(believed) >= self.state.most

    def check_failures(self, earlier: State, event: Event, actions: tuple[Action, ...]) -> None:
        """Each launch that fails counts and is told of; the next ones wait, and come one by one where it is many."""
        if (
            isinstance(event, Finished)
            and event.outcome.action == "launch"
            and event.outcome.result != "done"
        ):
            assert self.state.failures >= 1
            assert self.state.last_error
        launched = of_kind(actions, Launch)
        if launched:
            assert self.now >= earlier.retry_at or not self.state.failures
            if self.state.failures >= self.state.rules.breaker_failures:
                assert len(launched) == 1
                assert self.state.launched_at.keys() == set(launched)

    @staticmethod
    def _ended(actions: tuple[Action, ...]) -> list[UnitId]:
        return [u for action in actions if isinstance(action, Cancel) and action.ended for u in action.units]

    # Time and looks. A look may have begun, and seen what it saw, before the one ahead of it has been acted upon.

    @move(seconds=(0.05, 0.5, 1.0, 3.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @move(3, sees_at_once=YES_OR_NO)
    def look_begins(self, *, sees_at_once: bool) -> None:
        if len(self.looks) < 3:
            for earlier in self.looks:
                self._see(earlier)
            self.looks.append(Look(self.now))
            if sees_at_once:
                self._see(self.looks[-1])

    def _see(self, look: Look) -> None:
        if look.units is None:
            look.units = tuple(self.town.units.values())
            look.moment = self.town.moment

    @move(3, wanted=range(11), cause=("interval", "interval", "wake-up"))
    def look_ends(self, wanted: int, cause: Any) -> None:
        if not self.looks:
            return
        look = self.looks.pop(0)
        self._see(look)
        assert look.units is not None
        self.seen = look.moment
        self.feed(Sampled(Sample(look.begun, self.now, cause, look.units, Load(wanted), self.town.size)))

    @move(6, wanted=range(11), ticks=range(1, 5), answered=YES_OR_NO)
    def ticks(self, wanted: int, ticks: int, *, answered: bool) -> None:
        for _ in range(ticks):
            self.time_passes(1.0)
            self.look_begins(sees_at_once=True)
            self.look_ends(wanted, "interval")
            if answered and self.questions:
                self.answer(len(self.questions) - 1)

    def answer(self, number: int) -> None:
        question = self.questions.pop(number)
        workers = rank(self.town.units.values(), question.target)
        self.feed(Suggested(self.now, question.question, workers))

    @move(3, pick=PICKS)
    def an_answer_arrives(self, pick: int) -> None:
        if self.questions:
            self.answer(pick % len(self.questions))

    @move(pick=PICKS)
    def no_answer_arrives(self, pick: int) -> None:
        if not self.questions:
            return
        question = self.questions.pop(pick % len(self.questions))
        self.feed(Suggested(self.now, question.question, None, "no answer in time"))

    @move(0.5)
    def a_look_has_no_load(self) -> None:
        if not self.looks:
            return
        look = self.looks.pop(0)
        self._see(look)
        assert look.units is not None
        self.seen = look.moment
        load = Load(0, missing="the queue does not answer")
        self.feed(Sampled(Sample(look.begun, self.now, "interval", look.units, load, self.town.size)))

    @move(0.3)
    def a_look_fails(self) -> None:
        self.looks = self.looks[1:]
        self.feed(SampleFailed(self.now, "unreachable"))

    # What the units do by themselves.

    def pick(self, pick: int, names: Iterable[UnitId]) -> UnitId | None:
        names = sorted(names)
        return names[pick % len(names)] if names else None

    def in_state(self, *states: str) -> list[UnitId]:
        return [u.id for u in self.town.units.values() if u.state in states]

    @move(2, step=("requested", "registered", "registered", "failed"), pick=PICKS)
    def a_unit_comes_on(self, step: Any, pick: int) -> None:
        name = self.pick(pick, self.in_state("planned", "requested"))
        if name is not None:
            self.town.change(name, state=step, detail="no such image" if step == "failed" else "")

    @move()
    def all_units_register(self) -> None:
        for name in self.in_state("planned", "requested"):
            self.town.change(name, state="registered")

    @move(step=("lost", "lost", "leaving", "gone"), pick=PICKS)
    def a_worker_dies(self, step: Any, pick: int) -> None:
        name = self.pick(pick, self.in_state("registered", "leaving"))
        if name is None:
            return
        if step == "gone":
            self.town.vanish(name)
        else:
            self.town.change(name, state=step)

    @move(2, pick=PICKS, idle=(None, 0.0, 5.0))
    def work_comes_and_goes(self, pick: int, idle: float | None) -> None:
        name = self.pick(pick, self.in_state("registered"))
        if name is not None:
            self.town.change(name, executing=int(idle is None), idle=idle)

    @move(0.3)
    def a_stranger_registers(self) -> None:
        self.town.appear(unit(f"stranger-{len(self.town.ever)}", ours=False))

    # What becomes of actions.

    def finish(self, action: Any, names: Iterable[UnitId], result: Any) -> None:
        if names := tuple(names):
            self.feed(Finished(Outcome(self.now, action, names, result, detail=f"{action} {result}")))

    @move(3, pick=PICKS, result=("done", "done", "failed", "timed out"), missing=FEW)
    def a_launch_ends(self, pick: int, result: Any, missing: int) -> None:
        if not self.town.launches:
            return
        names = self.town.launches.pop(pick % len(self.town.launches))
        if result != "done":
            for name in [n for n in names if n in self.in_state("planned", "requested")][:missing]:
                self.town.vanish(name)
        self.finish("launch", names, result)

    @move(2, pick=PICKS, result=("done", "done", "failed", "timed out"))
    def a_cancel_ends(self, pick: int, result: Any) -> None:
        if not self.town.cancels:
            return
        names = self.town.cancels.pop(pick % len(self.town.cancels))
        for name in names:
            # Those that have registered meanwhile are not ended by it.
            if result == "done" and name not in self.in_state("registered"):
                self.town.vanish(name)
        self.finish("cancel", names, result)

    @move(2, pick=PICKS)
    def a_drain_reaches_the_point_of_no_return(self, pick: int) -> None:
        name = self.pick(pick, self.town.drains.keys() - set(self.town.recalls_granted))
        if name is not None:
            self.town.drains[name].committed = True

    @move(2, pick=PICKS, result=("done", "done", "refused", "timed out", "failed"))
    def a_drain_ends(self, pick: int, result: Any) -> None:
        name = self.pick(pick, self.town.drains)
        if name is None:
            return
        leave = self.town.drains[name]
        recalled = name in self.town.recalls_granted
        if recalled:
            result = "recalled"
        elif leave.committed and result == "refused":
            result = "done"
        if result == "done":
            self.town.vanish(name)
        elif leave.committed and name in self.town.units.keys() - set(self.in_state(*ENDED)):
            # Nobody waits for it any more, but it can no longer come back.
            self.town.change(name, state="leaving")
        self.town.moment += 1
        del self.town.drains[name]
        if recalled:
            self.town.recalls_granted.remove(name)
        self.finish("drain", [name], result)

    @move(2)
    def a_recall_comes_too_late(self) -> None:
        if self.town.recalls_refused:
            self.finish("recall", [self.town.recalls_refused.pop(0)], "refused")

    # Commands.

    @move(2, minimum=range(5), more=(*FEW, math.inf))
    def limits_are_set(self, minimum: int, more: float) -> None:
        size = self.town.size
        self.feed(SetLimits(self.now, minimum * size, (minimum + more) * size))

    @move(0.5, n=(None, *FEW), seconds=(0.5, 3.0, math.inf))
    def the_size_is_held(self, n: int | None, seconds: float) -> None:
        self.feed(SetHold(self.now, None if n is None else n * self.town.size, self.now + seconds))

    @move(0.5, n=FEW, seconds=(0.5, 3.0))
    def units_are_requested(self, n: int, seconds: float) -> None:
        self.feed(AddRequest(self.now, n * self.town.size, self.now + seconds))

    @move(0.3, direction=("both", "growing", "shrinking"), paused=YES_OR_NO)
    def it_is_paused(self, direction: Any, *, paused: bool) -> None:
        self.feed(SetPause(self.now, direction, paused))

    @move(0.5, low=(None, *FEW), high=(None, *FEW))
    def a_window_opens_or_closes(self, low: int | None, high: int | None) -> None:
        windows = (Window("a window", low, high),) if low or high else ()
        self.feed(SetSchedule(self.now, windows))

    @move(0.2, sure=YES_OR_NO)
    def it_is_stopped(self, *, sure: bool) -> None:
        if sure and len(self.events) > 20:  # else most runs are over before they have begun
            self.feed(Stop(self.now, "the user said so"))
            self.stopped = True

    # In every state and at the end.

    @invariant()
    def the_state_remembers_only_what_may_still_matter(self) -> None:
        assert self.state.nominations.keys() <= self.town.ever
        assert self.state.refusals.keys() <= self.town.ever
        assert self.state.flights.keys() <= self.town.ever

    def teardown(self) -> None:
        self._same_again()
        if not self.stopped:
            self._comes_to_rest()

    def _same_again(self) -> None:
        state = self.first
        for entry in through_a_journal(self.first, self.events, self.records):
            state, _, again = decide(state, entry.event)
            assert again == entry.record
        assert state == self.state

    def _comes_to_rest(self) -> None:
        """Once nothing goes wrong any more, the size becomes what is wanted: no belief sticks for ever."""
        wanted = 3
        self.feed(SetLimits(self.now, 1, 5 * self.town.size))
        self.feed(SetHold(self.now, None))
        self.feed(SetPause(self.now, "both", paused=False))
        self.feed(SetSchedule(self.now, ()))
        for name in [u.id for u in self.town.units.values() if not u.ours or u.state == "leaving"]:
            self.town.vanish(name)
        while self.looks:
            self.look_ends(wanted * self.town.size, "interval")
        for _ in range(30):
            self._end_everything()
            self.time_passes(20.0)  # a unit that was long in coming has made the core patient
            self.ticks(wanted * self.town.size, 1, answered=True)
        assert len(self.town.serving) == wanted
        assert not self.town.units.keys() - self.town.serving
        assert not self.state.launched_at  # each launch has come to an end
        self._stays_at_rest(wanted)

    def _stays_at_rest(self, wanted: int) -> None:
        """Nothing is done while the load stays the same, nor in a pause that is shorter than the idle timeout."""
        there, events = self.town.serving, len(self.events)
        for name in there:
            self.town.change(name, executing=1, idle=None)
        self.ticks(wanted * self.town.size, 10, answered=True)
        if self.state.rules.idle_timeout is None:
            for name in there:
                self.town.change(name, executing=0, idle=0.5)
            self.ticks(0, self.state.rules.wait_count, answered=True)
            self.ticks(wanted * self.town.size, 1, answered=True)
        deeds = [a for r in self.records[events:] if r.decision for a in r.decision.actions]
        assert [deed for deed in deeds if not isinstance(deed, Suggest)] == []
        assert self.town.serving == there

    def _end_everything(self) -> None:
        while self.town.recalls_refused:
            self.a_recall_comes_too_late()
        while self.town.launches:
            self.a_launch_ends(0, "done", 0)
        while self.town.cancels:
            self.a_cancel_ends(0, "done")
        while self.town.drains:
            self.a_drain_ends(0, "done")
        self.all_units_register()
        for name in self.in_state("leaving"):
            self.town.vanish(name)


TestAnyRun = AnyRun.TestCase
TestAnyRun.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    phases=set(Phase) - {Phase.explain},
    report_multiple_bugs=False,
)


def by_chance(seed: int) -> AnyRun:
    """One run by the dice: many more of them fit into a second, and some accidents need many."""
    dice = random.Random(seed)
    run = AnyRun()
    run.begin(dice.choice(EVERY_RULE), dice.randrange(4), dice.choice(FEW), dice.choice([1, 2]))
    weights = [weight for weight, _, _ in MOVES]
    for _, name, choices in dice.choices(MOVES, weights, k=dice.choice([10, 20, 40, 80])):
        getattr(run, name)(**{key: dice.choice(values) for key, values in choices.items()})
        run.the_state_remembers_only_what_may_still_matter()
    run.teardown()
    return run


@pytest.mark.parametrize("block", range(4))
def test_many_runs_by_chance(block):
    for seed in range(block * 300, (block + 1) * 300):
        try:
            by_chance(seed)
        except Exception as error:
            error.add_note(f"by_chance({seed}) does it again")
            raise


def test_the_runs_see_every_kind_of_action():
    actions = [
        action
        for seed in range(40)
        for record in by_chance(seed).records
        if record.decision
        for action in record.decision.actions
    ]
    assert {type(action) for action in actions} == {Launch, Cancel, Drain, Recall, Suggest}
    assert {action.only_idle for action in actions if isinstance(action, Drain)} == {False, True}


@given(order=st.permutations(range(6)), target=st.integers(0, 6))
def test_how_many_leave_does_not_depend_on_the_order_of_the_units(order, target):
    idle = fleet("a", "b", "c", "d", "e", "f")
    core = Core()
    actions = core.step(0, [idle[i] for i in order], target)
    assert of_kind(actions, Drain) == [u.id for u in idle][: 6 - target]


@given(
    units=st.lists(st.integers(1, 3), min_size=1, max_size=5),
    order=st.randoms(use_true_random=False),
    cut=st.integers(0, 15),
)
def test_a_unit_is_chosen_only_whole(units, order, cut):
    candidates = [unit(f"u{i}", size=size) for i, size in enumerate(units)]
    workers = [worker for each in candidates for worker in each.workers]
    order.shuffle(workers)
    chosen = whole_units(workers[:cut], candidates)
    assert set(chosen) == {u.id for u in candidates if set(u.workers) <= set(workers[:cut])}
    assert whole_units([*workers[:cut], WorkerName("unknown")], candidates[::-1]) == chosen


@given(size=st.integers(1, 7), target=st.integers(0, 100), serving=st.integers(1, 5))
def test_growth_covers_the_target_without_a_unit_too_many(size, target, serving):
    units = [unit(f"u{i}", size=size) for i in range(serving)]
    launched = len(of_kind(Core().look(0, units, target), Launch))
    if launched:
        assert (serving + launched) * size >= target > (serving + launched - 1) * size
    else:
        assert serving * size >= target


def test_ids_are_never_given_twice():
    core = Core()
    named = of_kind(core.look(0, (), 3), Launch)
    core.finish(0.1, "launch", named, "failed")
    again = of_kind(core.look(5, (), 3), Launch)
    assert named == list(ids("new-0", "new-1", "new-2"))
    assert again == list(ids("new-3", "new-4", "new-5"))
