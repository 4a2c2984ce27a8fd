"""What Kubernetes tells of a worker's pods, in our words. Plain JSON in, no calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, Literal

from attrs import frozen

from trio_adaptive.decision.model import WorkerName

Json = Mapping[str, Any]

HOPELESS: Final = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
"""Why a container waits when waiting is of no use: each but the first pull has been tried again already."""


@frozen
class Deployed:
    """One Deployment of the operator's, which is one unit; or the pods that are left of it.

    Attributes:
        name: the Deployment's name, and its worker's.
        state: requested: its pods run or may come to run; failed: they do not; leaving: it has been deleted.
        detail: for a failed one, why.
    """

    name: str
    state: Literal["requested", "failed", "leaving"]
    detail: str = ""


def deployed(deployments: Sequence[Json], pods: Sequence[Json]) -> tuple[Deployed, ...]:
    """All of a group's units, the oldest first; what is on its way out comes last."""
    by_name: dict[str, list[Json]] = {}
    for pod in pods:
        by_name.setdefault(deployment_of(pod), []).append(pod)
    existing = sorted((d for d in deployments if not is_leaving(d)), key=_age)
    found = [_deployed(each, by_name.pop(each["metadata"]["name"], [])) for each in existing]
    left = {*by_name, *(d["metadata"]["name"] for d in deployments if is_leaving(d))}
    return (*found, *(Deployed(name, "leaving") for name in sorted(left) if name))


def _age(thing: Json) -> tuple[str, str]:
    metadata = thing["metadata"]
    return metadata.get("creationTimestamp") or "", metadata["name"]


def is_leaving(thing: Json) -> bool:
    """Whether it has been deleted and is only still ending."""
    return bool(thing["metadata"].get("deletionTimestamp"))


def _deployed(deployment: Json, pods: Sequence[Json]) -> Deployed:
    alive = [pod for pod in pods if not is_leaving(pod)]
    # An evicted pod stays listed beside the one that has taken its place.
    failures = [failure(pod) for pod in alive] or [_refusal(deployment)]
    name = deployment["metadata"]["name"]
    return Deployed(name, "failed", failures[-1]) if all(failures) else Deployed(name, "requested")


def deployment_of(pod: Json) -> str:
    """The Deployment that a pod belongs to, or nothing; a pod's own name may have been cut off."""
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner["kind"] == "ReplicaSet":  # named after its Deployment, with a hash
            return str(owner["name"]).rpartition("-")[0]
    return ""


def failure(pod: Json) -> str:
    """Why a pod does not run and will not by waiting; nothing if it does or may."""
    status: Json = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return _words(pod, status, "Failed")
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for container in containers:
        waiting: Json = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in HOPELESS:
            ended: Json = (container.get("lastState") or {}).get("terminated") or {}
            last = f"; its container ended with code {ended['exitCode']}" if "exitCode" in ended else ""
            return _words(pod, waiting) + last
    return ""


def _words(pod: Json, told: Json, otherwise: str = "") -> str:
    message = f": {told['message']}" if told.get("message") else ""
    return f"pod {pod['metadata']['name']}: {told.get('reason') or otherwise}{message}"


def _refusal(deployment: Json) -> str:
    """Why a Deployment cannot make a pod, such as a used-up quota."""
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return f"{condition.get('reason')}: {condition.get('message')}"
    return ""


def workers_in(pod_spec: Json) -> int:
    """How many workers a pod of this specification has: what ``--nworkers`` says in its command, else one."""
    for container in pod_spec.get("containers") or ():
        words = [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
        for word, following in zip_longest(words, words[1:], fillvalue=""):
            option, _, value = word.partition("=")
            number = value or following
            if option == "--nworkers" and number.isdecimal():
                return max(1, int(number))
    return 1


def worker_names(name: str, size: int) -> tuple[WorkerName, ...]:
    """The names under which the workers of one Deployment register, as ``dask worker`` makes them."""
    if size == 1:
        return (WorkerName(name),)
    return tuple(WorkerName(f"{name}-{number}") for number in range(size))
