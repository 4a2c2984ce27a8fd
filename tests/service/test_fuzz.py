"""Files that hold anything at all: one clear error, or none; never another one, and never a hang."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trio_adaptive.config import load_settings
from trio_adaptive.errors import ConfigurationError
from trio_adaptive.service.cluster_file import load_plan
from trio_adaptive.service.config_file.reading import read_configuration

CONFIG = b'[adaptive]\nmaximum = 20\nidle_timeout = "2 min"\nstrangers = "retire"\njournal = "x.jsonl"\n'
CLUSTER = b"""\
version: 1
module: distributed
class: LocalCluster
kwargs:
  n_workers: 0
  dashboard_address: "127.0.0.1:0"
adaptive:
  maximum: 4
  interval: 1s
"""
SERVICE = b"""\
[service]
listen = "127.0.0.1:8788"
tokens = "tokens.toml"
maximum = 30
[adaptive]
maximum = 9
[clusters.blue]
nthreads = 2
preload = ["json"]
weight = 2.5
[clusters.green]
module = "distributed"
class = "LocalCluster"
kwargs = {n_workers = 0}
adaptive = {minimum = 1}
"""
DEEP = [b"[" * 5000, b"a = " + b"[" * 5000, b"{a: " * 3000, b"&a [*a, *a]", b"- " * 5000]

thorough = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def damaged(text: bytes):
    """The text with something else in place of a part of it."""
    places = st.integers(0, len(text))
    pieces = st.binary(max_size=8) | st.sampled_from(
        [b": ", b"\n", b"[", b"{", b"*a", b"!!python/name:os", b"\x00"]
    )
    cut = st.tuples(places, places, pieces)
    return cut.map(lambda part: text[: part[0]] + part[2] + text[max(part[0], part[1]) :])


def for_each(examples):
    def decorate(test):
        for content in examples:
            test = example(content=content)(test)
        return test

    return decorate


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "file"


@thorough
@given(content=st.binary(max_size=60) | damaged(CONFIG))
@for_each([CONFIG, *DEEP])
def test_any_file_of_options_is_read_or_refused(file, content):
    file.write_bytes(content)
    with contextlib.suppress(ConfigurationError):
        load_settings({}, file=file)


@thorough
@given(content=st.binary(max_size=60) | damaged(CLUSTER))
@for_each([CLUSTER, *DEEP])
def test_any_file_of_a_cluster_is_read_or_refused(file, content):
    file.write_bytes(content)
    with contextlib.suppress(ConfigurationError):
        load_plan(file, {}, config=None, misplaced=())


@thorough
@given(content=st.binary(max_size=60) | damaged(SERVICE))
@for_each([SERVICE, *DEEP])
def test_any_file_of_a_service_is_read_or_refused(file, content):
    file.write_bytes(content)
    with contextlib.suppress(ConfigurationError):
        read_configuration(file)


def test_the_files_are_right_as_long_as_nothing_has_been_done_to_them(file):
    file.write_bytes(CONFIG)
    assert load_settings({}, file=file).maximum == 20
    file.write_bytes(CLUSTER)
    assert load_plan(file, {}, config=None, misplaced=()).settings.maximum == 4
    file.write_bytes(SERVICE)
    assert list(read_configuration(file).clusters) == ["blue", "green"]
