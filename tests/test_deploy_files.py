"""The files for deployment say what the program understands."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from pathlib import Path

import yaml

from trio_adaptive.cli.program import parser
from trio_adaptive.service.config_file.reading import read_configuration
from trio_adaptive.service.http.reading import READING

FOLDER = Path(__file__).parents[1] / "docs/deploy"
DOCUMENTS = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))


def kind(name):
    (found,) = [each for each in DOCUMENTS if each["kind"] == name]
    return found


def unit():
    found = configparser.RawConfigParser(strict=False)
    found.optionxform = str
    found.read(FOLDER / "trio-adaptive.service")
    return found


def test_the_unit_starts_commands_that_there_are():
    service = unit()["Service"]
    assert service["Type"] == "notify"
    for key, command in (("ExecStartPre", "check"), ("ExecStart", "up")):
        program, *arguments = shlex.split(service[key])
        assert Path(program).name == "trio-adaptive"
        assert parser().parse_args(arguments).command == command
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_the_container_starts_a_command_that_there_is():
    text = (FOLDER / "Containerfile").read_text()
    arguments = json.loads(re.search(r"^CMD (.*)$", text, re.MULTILINE)[1])
    assert parser().parse_args(arguments).file == Path("/etc/trio-adaptive/service.toml")
    assert json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[1])[-1] == "trio-adaptive"


def test_the_manifest_has_a_configuration_that_is_right(tmp_path):
    file = tmp_path / "service.toml"
    text = kind("ConfigMap")["data"]["service.toml"]
    # Dask's operator need not be installed here.
    file.write_text(
        text.replace("dask_kubernetes.operator", "distributed").replace("KubeCluster", "LocalCluster")
    )
    service = read_configuration(file).service
    mounts = {Path(each["mountPath"]) for each in container()["volumeMounts"]}
    assert {service.tls_cert.parent, service.tls_key.parent, service.tokens.parent} <= mounts


def container():
    (found,) = kind("Deployment")["spec"]["template"]["spec"]["containers"]
    return found


def test_the_manifest_asks_what_the_service_answers():
    known = {operation.path for operation in READING}
    (port,) = container()["ports"]
    for probe in ("livenessProbe", "readinessProbe"):
        asked = container()[probe]["httpGet"]
        assert asked["path"] in known
        assert (asked["port"], asked["scheme"]) == (port["name"], "HTTPS")
    assert parser().parse_args(container()["args"]).command == "up"
    (outside,) = kind("Service")["spec"]["ports"]
    assert outside["targetPort"] == port["name"]
    assert kind("Deployment")["spec"]["replicas"] == 1
