"""The keys ``trio-adaptive.*`` of Dask's configuration: their schema, the file of defaults, environment variables."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys

import dask
import jsonschema
import pytest
import yaml
from settings_schema import DEFAULTS, SCHEMA, defaults_text, descriptions, schema_text

from trio_adaptive.config import OPTIONS, Settings, load_settings
from trio_adaptive.errors import ConfigurationError

ANEW = "run `python tests/settings_schema.py`"

SHOW = "import json, trio_adaptive.config as c; s = c.load_settings({}); print(json.dumps([s.minimum, s.maximum, s.idle_timeout, s.on_exit]))"


@pytest.fixture(scope="module")
def validator():
    schema = yaml.safe_load(SCHEMA.read_text())
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    return kind(schema)


def of_dask(options):
    with dask.config.set({"distributed.adaptive": {}, "trio-adaptive": options}):
        return load_settings({})


@pytest.mark.parametrize(("file", "text"), [(SCHEMA, schema_text), (DEFAULTS, defaults_text)])
def test_the_files_follow_from_the_settings(file, text):
    assert file.read_text() == text(), ANEW


def test_every_option_is_described():
    assert set(descriptions()) == set(OPTIONS)
    options = yaml.safe_load(SCHEMA.read_text())["properties"]["trio-adaptive"]["properties"]
    assert {name.replace("-", "_") for name in options} == set(OPTIONS)
    assert all(len(option["description"]) > 20 for option in options.values())


def test_the_file_of_defaults_says_nothing_as_it_is(validator):
    content = yaml.safe_load(DEFAULTS.read_text())
    assert content == {"trio-adaptive": None}
    validator.validate(content)
    assert of_dask(None) == Settings()


def test_the_file_of_defaults_is_right_when_all_of_it_holds(validator):
    text = re.sub(r"^  # ([a-z-]+: \S+)$", r"  \1", DEFAULTS.read_text(), flags=re.MULTILINE)
    content = yaml.safe_load(text)
    assert {name.replace("-", "_") for name in content["trio-adaptive"]} == set(OPTIONS) - {"worker_key"}
    validator.validate(content)
    assert of_dask(content["trio-adaptive"]) == Settings()


VALUES = [
    *(0, 1, 7, 2.0, 0.5, -1, -0.5, math.inf, True, None),
    *("", "auto", "inf", "5s", "500 ms", "100 GiB", "keep", "minimum", "close", "adopt", "ignore", "Keep"),
    *([], {}, [1], {"a": 1}),
]
PAIRS = [(name, value) for name in OPTIONS for value in VALUES]


@pytest.mark.parametrize(("name", "value"), PAIRS)
def test_the_schema_takes_what_is_right_and_refuses_what_it_can_tell_to_be_wrong(validator, name, value):
    options = {name.replace("_", "-"): value}
    try:
        of_dask(options)
    except ConfigurationError as error:
        # A contradiction with another option's default is beyond a schema, and so is what a text says.
        untold = isinstance(value, str) or any(" but " in mistake.problem for mistake in error.mistakes)
        untold = untold or value == math.inf  # a number like others, for a schema
    else:
        validator.validate({"trio-adaptive": options})
        return
    assert untold or not validator.is_valid({"trio-adaptive": options})


def test_the_schema_refuses_unknown_options(validator):
    assert not validator.is_valid({"trio-adaptive": {"wait-cuont": 3}})
    assert not validator.is_valid({"trio-adaptive": [1]})
    assert validator.is_valid({"distributed": {"adaptive": {"interval": "1s"}}, "trio-adaptive": {}})


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, [math.inf, None, "keep"]),
        ({"DASK_DISTRIBUTED__ADAPTIVE__MAXIMUM": "5"}, [5, None, "keep"]),
        ({"DASK_TRIO_ADAPTIVE__IDLE_TIMEOUT": "30s"}, [math.inf, 30.0, "keep"]),
        (
            {
                "DASK_DISTRIBUTED__ADAPTIVE__MAXIMUM": "5",
                "DASK_TRIO_ADAPTIVE__MAXIMUM": "6",
                "DASK_TRIO_ADAPTIVE__ON_EXIT": "close",
            },
            [6, None, "close"],
        ),
    ],
)
def test_environment_variables_are_honoured_beside_a_file(tmp_path, variables, told):
    (tmp_path / "trio-adaptive.yaml").write_text(DEFAULTS.read_text() + "  minimum: 2\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    env = {**clean, "DASK_CONFIG": str(tmp_path), **variables}
    done = subprocess.run([sys.executable, "-c", SHOW], env=env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [2, *told]
