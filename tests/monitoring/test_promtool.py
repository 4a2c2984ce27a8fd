"""Prometheus's own tools find nothing wrong with the metrics, and the alerts ring when they should."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.service

DEPLOY = Path(__file__).parents[2] / "docs/deploy"


def test_the_metrics_are_as_prometheus_wants_them(promtool, metrics):
    assert promtool("check", "metrics", text=metrics) == ""


def test_the_check_finds_what_is_wrong(promtool, metrics):
    with pytest.raises(AssertionError, match="no help text"):
        promtool("check", "metrics", text=metrics + b"trio_adaptive_nameless 1\n")


def test_the_alert_rules_are_rules(promtool):
    assert "SUCCESS" in promtool("check", "rules", str(DEPLOY / "alerts.yml"))


def test_the_alerts_ring_when_they_should(promtool):
    assert "SUCCESS" in promtool("test", "rules", str(DEPLOY / "alerts-test.yml"))
