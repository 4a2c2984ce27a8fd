"""Dividing a shared maximum: weighted max-min fairness, and that the sum holds at every moment."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_adaptive.decision.fairness import Claim, caps, divide, is_due, with_slack

thorough = settings(max_examples=200)

SIZES = st.integers(0, 40)
WEIGHTS = st.sampled_from([0.1, 0.25, 1 / 3, 1.0, 1.0, 2.0, 3.5])


@st.composite
def claims(draw, told=False):
    number = draw(st.integers(1, 6))
    found = []
    for index in range(number):
        cap = draw(st.none() | SIZES) if told else None
        found.append(
            Claim(
                f"c{index}",
                draw(SIZES),
                draw(st.integers(0, 5)),
                draw(WEIGHTS),
                draw(SIZES) if told else 0,
                cap,
            )
        )
    return found


def minima(asking):
    return sum(claim.minimum for claim in asking)


@thorough
@given(claims(), SIZES)
def test_nobody_gets_more_than_it_wants_or_less_than_its_minimum(asking, more):
    total = minima(asking) + more
    given_to = divide(total, asking)
    assert sum(given_to.values()) <= total
    for claim in asking:
        assert claim.minimum <= given_to[claim.name] <= claim.ceiling


@thorough
@given(claims(), SIZES)
def test_nothing_is_left_over_while_somebody_wants_more(asking, more):
    total = minima(asking) + more
    wanted = sum(claim.ceiling for claim in asking)
    assert sum(divide(total, asking).values()) == min(total, wanted)


@thorough
@given(claims(), SIZES)
def test_it_is_max_min_fair(asking, more):
    """One worker from another above its minimum would leave that one with less for its weight than we then had."""
    given_to = divide(minima(asking) + more, asking)
    for poor in asking:
        if given_to[poor.name] == poor.ceiling:
            continue
        after = (given_to[poor.name] + 1) / poor.weight
        for rich in asking:
            if rich is not poor and given_to[rich.name] > rich.minimum:
                assert given_to[rich.name] / rich.weight <= after + 1e-9


@thorough
@given(claims(), SIZES, st.randoms(use_true_random=False))
def test_the_order_of_the_claims_says_nothing(asking, more, chance):
    total = minima(asking) + more
    shuffled = list(asking)
    chance.shuffle(shuffled)
    assert divide(total, shuffled) == divide(total, asking)


@thorough
@given(claims(), SIZES)
def test_with_more_to_divide_nobody_gets_less(asking, more):
    total = minima(asking) + more
    fewer, many = divide(total, asking), divide(total + 1, asking)
    assert all(many[name] >= fewer[name] for name in fewer)


@thorough
@given(claims(), SIZES)
def test_with_slack_all_of_it_is_given(asking, more):
    total = minima(asking) + more
    assert sum(with_slack(total, asking).values()) == total


@thorough
@given(claims(told=True), SIZES)
def test_what_may_come_to_be_is_never_more_than_the_total(asking, total):
    new = caps(total, asking)
    taken = sum(claim.taken for claim in asking)
    assert sum(max(claim.taken, new[claim.name]) for claim in asking) <= max(total, taken)


@thorough
@given(claims(told=True), SIZES)
def test_once_everybody_has_heard_of_it_and_obeyed_it_is_fair(asking, more):
    total = minima(asking) + more
    for _ in range(2 + len(asking)):
        new = caps(total, asking)
        asking = [
            evolve(each, cap=new[each.name], existing=min(each.wanted, new[each.name])) for each in asking
        ]
    assert sum(new.values()) <= total
    if is_due(total, asking):
        assert new == with_slack(total, asking)


def test_nothing_changes_while_everybody_has_what_it_wants():
    asking = [Claim("a", 5, cap=60, existing=5), Claim("b", 30, cap=40, existing=30)]
    assert caps(100, asking) == {"a": 60, "b": 40}


def test_what_one_is_to_give_up_is_for_the_other_once_it_is_free():
    full = Claim("a", 100, existing=100, cap=100)
    new = Claim("b", 40)
    assert caps(100, [full, new]) == {"a": 60, "b": 0}
    half = evolve(full, existing=80, cap=60)
    assert caps(100, [half, evolve(new, cap=0)]) == {"a": 60, "b": 20}
    assert caps(100, [evolve(half, existing=60), evolve(new, cap=20, existing=20)]) == {"a": 60, "b": 40}


def test_weights_count_only_where_there_is_not_enough():
    asking = [Claim("a", 90, weight=1), Claim("b", 90, weight=3), Claim("c", 10, weight=1)]
    assert divide(90, asking) == {"a": 20, "b": 60, "c": 10}
    assert divide(200, asking) == {"a": 90, "b": 90, "c": 10}
