"""A ``KubeCluster`` without Kubernetes: a fake API server, an operator that does as the real one, real Dask workers.

What it is for: the calls that an adapter makes, in their order, and what the operator would make of them. Everything
lives on the loop of the cluster object, in its thread.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from functools import partial

import anyio
import anyio.to_thread
import distributed
import kmock
import yaml
from dask_kubernetes.operator import KubeCluster
from distributed.core import rpc
from distributed.deploy.cluster import Cluster

import trio_adaptive.clusters.kubernetes  # noqa: F401 - whose pauses are shortened

NAMESPACE = "default"
GROUPS, DEPLOYMENTS, PODS = "daskworkergroups.v1.kubernetes.dask.org", "deployments.v1.apps", "pods.v1"
AUTOSCALERS = "daskautoscalers.v1.kubernetes.dask.org"
HANDLED = "kopf.zalando.org/last-handled-configuration"
TAKES = 0.05  # seconds, for the operator and for whatever else happens in Kubernetes
QUIET = {"dashboard_address": ":0", "host": "127.0.0.1"}


class ApiServer(kmock.KubernetesEmulator):
    """Keeps objects, tells of what has been written, and refuses what it is told to refuse."""

    def prepare(self):
        self.writes = []
        self.refused = set()
        self.written = asyncio.Event()
        self["get /version/"] << {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
        for resource in (GROUPS, DEPLOYMENTS, PODS, AUTOSCALERS):
            self.resources[resource].namespaced = True

    async def _handle(self, request):
        method = str(getattr(request.method, "value", request.method)).upper()
        if method in {"PATCH", "DELETE"}:
            self.writes.append((method, request.name))
        if method in self.refused:
            return await self._render_error(
                kmock.KubernetesError(403, "Forbidden", "the role allows no such thing")
            )
        try:
            return await super()._handle(request)
        except kmock.KubernetesError as error:  # it renders only those of its own handlers
            return await self._render_error(error)
        finally:
            self.written.set()

    def put(self, resource, thing):
        self.objects[resource, NAMESPACE, thing["metadata"]["name"]] = thing

    def names(self, resource):
        wanted = kmock.resource(resource)
        return [
            name for (kind, _, name), thing in self.objects.items() if kind == wanted and not thing.deleted
        ]

    def forget(self, resource, name):
        with suppress(KeyError):
            del self.objects[resource, NAMESPACE, name]


class Operator:
    """Acts on a change of ``replicas`` only, then counts; whom it has to retire, it chooses.

    Attributes:
        chosen: workers that it has ended by its own choice, which is what an adapter has to keep it from.
        restarted: workers that ended by themselves while their Deployment existed, and were started again.
        broken: what the next pods say instead of running: a reason to wait.
        asleep: while it is set, nothing is handled.
    """

    def __init__(self, api, cluster, address):
        self.chosen, self.restarted, self.broken, self.asleep = [], [], [], False
        self._api, self._group, self._address = api, f"{cluster}-default", address
        self._made = 0
        self._workers = {}
        spec = {"replicas": 0, "spec": {"containers": [{"name": "worker", "args": ["dask-worker"]}]}}
        group = {"metadata": {"name": self._group}, "spec": {"cluster": cluster, "worker": spec}}
        api.put(GROUPS, group)
        self._note(0)

    @property
    def _object(self):
        return self._api.objects[GROUPS, NAMESPACE, self._group]

    @property
    def replicas(self):
        return self._object.raw["spec"]["worker"]["replicas"]

    def _note(self, replicas):
        handled = json.dumps({"spec": {"worker": {"replicas": replicas}}})
        self._object.patch({"metadata": {"annotations": {HANDLED: handled}}})
        self._seen = replicas

    async def run(self):
        while True:
            self._api.written.clear()
            await self._reconcile_pods()
            if not self.asleep and self.replicas != self._seen:
                wanted = self.replicas
                await asyncio.sleep(TAKES)
                await self._handle(wanted)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._api.written.wait(), TAKES)

    async def _handle(self, wanted):
        here = self._api.names(DEPLOYMENTS)
        for _ in range(wanted - len(here)):
            await self._make()
        for name in here[wanted:]:
            self.chosen.append(name)
            self._api.forget(DEPLOYMENTS, name)
        self._note(wanted)

    async def _make(self):
        self._made += 1
        name = f"{self._group}-worker-{self._made:010x}"
        labels = {"dask.org/workergroup-name": self._group, "dask.org/component": "worker"}
        self._api.put(DEPLOYMENTS, {"metadata": {"name": name, "labels": labels}, "status": {}})
        owner = {"kind": "ReplicaSet", "name": f"{name}-5d8f"}
        pod = {"metadata": {"name": f"{name}-5d8f-x", "labels": labels, "ownerReferences": [owner]}}
        if self.broken:
            waiting = {"waiting": {"reason": self.broken.pop(), "message": "no such thing"}}
            self._api.put(
                PODS, {**pod, "status": {"phase": "Pending", "containerStatuses": [{"state": waiting}]}}
            )
        else:
            self._api.put(PODS, {**pod, "status": {"phase": "Running"}})
            await self._start(name)

    async def _start(self, name):
        self._workers[name] = await distributed.Worker(self._address, name=name, nthreads=1, **QUIET)

    async def _reconcile_pods(self):
        here = self._api.names(DEPLOYMENTS)
        for name, worker in list(self._workers.items()):
            if name not in here:
                await self._workers.pop(name).close()
            elif worker.status in {distributed.Status.closed, distributed.Status.failed}:
                self.restarted.append(name)
                await self._start(name)
        for pod in self._api.names(PODS):
            if pod.removesuffix("-5d8f-x") not in here:
                self._api.forget(PODS, pod)

    async def close(self):
        for worker in self._workers.values():
            await worker.close()


class FakedKubeCluster(KubeCluster):
    """The real class, which finds its cluster started."""

    def __init__(self, kubeconfig):
        self.kubeconfig = kubeconfig
        super().__init__(name="faked", namespace=NAMESPACE, quiet=True, shutdown_on_close=False)

    async def _start(self):
        self.scheduler = await distributed.Scheduler(port=0, **QUIET)
        self.api_server = ApiServer()
        self.api_server.prepare()
        self._server = kmock.Server(self.api_server)
        await self._server.__aenter__()
        self._write_kubeconfig(str(self._server.url).rstrip("/"))
        self.operator = Operator(self.api_server, self.name, self.scheduler.address)
        self._operating = asyncio.ensure_future(self.operator.run())
        self.scheduler_comm = rpc(self.scheduler.address)
        await Cluster._start(self)

    def _write_kubeconfig(self, url):
        context = {"name": "fake", "context": {"cluster": "fake", "user": "fake", "namespace": NAMESPACE}}
        clusters, users = [{"name": "fake", "cluster": {"server": url}}], [{"name": "fake", "user": {}}]
        config = {"clusters": clusters, "users": users, "contexts": [context], "current-context": "fake"}
        self.kubeconfig.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **config}))

    async def _close(self, timeout=None):  # noqa: ASYNC109 - upstream's signature
        if self.status == distributed.Status.closed:
            return
        await Cluster._close(self)
        self._operating.cancel()
        await asyncio.wait({self._operating})
        await self.operator.close()
        await self.scheduler.close()
        await self._server.__aexit__(None, None, None)


@asynccontextmanager
async def faked_kube_cluster(folder, monkeypatch):
    """A cluster without workers, on a loop in a thread of its own."""
    kubeconfig = folder / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    for module in ("workergroup", "kubernetes"):  # everything is quicker here
        monkeypatch.setattr(f"trio_adaptive.clusters.{module}.POLL", TAKES)
    cluster = await anyio.to_thread.run_sync(partial(FakedKubeCluster, kubeconfig))
    try:
        yield cluster
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(cluster.close)
