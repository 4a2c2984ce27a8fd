"""A network that is cut, in one direction or both: nothing is decided on ignorance, nothing is lost or started twice."""

from __future__ import annotations

import pytest
from network_scenes import CUTS, as_expected, play

pytestmark = [pytest.mark.networks, pytest.mark.usefixtures("may_have_networks")]


@pytest.mark.parametrize("scene", CUTS, ids=lambda scene: scene.name)
def test_it_is_survived(scene, tmp_path):
    assert as_expected(scene, play(scene, tmp_path)) == []
