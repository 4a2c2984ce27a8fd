"""What the API server tells of pods, in our words: no cluster needed."""

from __future__ import annotations

import pytest

from trio_adaptive.clusters.pods import Deployed, deployed, failure, worker_names, workers_in

pytestmark = pytest.mark.backends


def deployment(name, created="2026-01-01T00:00:00Z", leaving=None, conditions=()):
    metadata = {"name": name, "creationTimestamp": created, "deletionTimestamp": leaving}
    return {"metadata": metadata, "status": {"conditions": list(conditions)}}


def pod(of, *, leaving=None, **status):
    owners = [{"kind": "Node", "name": "n1"}, {"kind": "ReplicaSet", "name": f"{of}-5d8f"}]
    return {
        "metadata": {"name": "cut-off", "deletionTimestamp": leaving, "ownerReferences": owners},
        "status": status,
    }


def waiting(reason, **more):
    return {"state": {"waiting": {"reason": reason, "message": "so it is"}}, **more}


def test_the_oldest_come_first_and_what_leaves_comes_last():
    things = [
        deployment("b", "2"),
        deployment("a", "2"),
        deployment("z", "1"),
        deployment("c", "0", leaving="3"),
    ]
    assert deployed(things, [pod("gone", leaving="3")]) == (
        Deployed("z", "requested"),
        Deployed("a", "requested"),
        Deployed("b", "requested"),
        Deployed("c", "leaving"),
        Deployed("gone", "leaving"),
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, "Evicted: low on memory"),
        ({"phase": "Failed"}, "Failed"),
        (
            {"phase": "Pending", "containerStatuses": [waiting("ImagePullBackOff")]},
            "ImagePullBackOff: so it is",
        ),
        (
            {"phase": "Pending", "initContainerStatuses": [waiting("InvalidImageName")]},
            "InvalidImageName: so it is",
        ),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 137}}),
                ],
            },
            "CrashLoopBackOff: so it is; its container ended with code 137",
        ),
    ],
)
def test_a_pod_that_will_not_run_says_why(told, words):
    assert failure(pod("a", **told)) == f"pod cut-off: {words}"
    assert deployed([deployment("a")], [pod("a", **told)]) == (
        Deployed("a", "failed", f"pod cut-off: {words}"),
    )


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"phase": "Pending", "containerStatuses": None},
        {"phase": "Pending", "containerStatuses": [waiting("ContainerCreating")]},
        {"phase": "Pending", "containerStatuses": [waiting("ErrImagePull")]},
        {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
        },
        {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]},
    ],
)
def test_a_pod_that_may_come_to_run_is_waited_for(told):
    assert deployed([deployment("a")], [pod("a", **told)]) == (Deployed("a", "requested"),)


def test_an_evicted_pod_beside_its_successor_does_no_harm():
    pods = [pod("a", phase="Running"), pod("a", phase="Failed", reason="Evicted")]
    assert deployed([deployment("a")], pods) == (Deployed("a", "requested"),)


def test_a_used_up_quota_is_a_failure():
    refused = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota",
    }
    found = deployed([deployment("a", conditions=[refused])], [])
    assert found == (Deployed("a", "failed", "FailedCreate: exceeded quota"),)


@pytest.mark.parametrize(
    ("args", "size"),
    [
        (["dask-worker", "--name", "$(DASK_WORKER_NAME)"], 1),
        (["dask", "worker", "--nworkers", "3"], 3),
        (["dask", "worker", "--nworkers=2"], 2),
        (["dask", "worker", "--nworkers", "auto"], 1),
        (["dask", "worker", "--nworkers"], 1),
        (None, 1),
    ],
)
def test_the_command_tells_how_many_workers_a_pod_has(args, size):
    assert workers_in({"containers": [{"args": args}]}) == size


def test_the_names_are_those_that_dask_gives():
    assert worker_names("w", 1) == ("w",)
    assert worker_names("w", 2) == ("w-0", "w-1")
