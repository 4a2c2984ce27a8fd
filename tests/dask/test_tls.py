"""Schedulers and workers that speak TLS only, and certificates that do not fit."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager

import anyio
import anyio.to_thread
import distributed
import pytest
import trustme
from attrs import frozen
from real_dask import LIMIT, a_client, either_way

from trio_adaptive import adaptive
from trio_adaptive.clusters.command import command_cluster
from trio_adaptive.clusters.scheduler import embedded_scheduler
from trio_adaptive.clusters.template import WorkerTemplate, worker_command
from trio_adaptive.dask.link import open_link
from trio_adaptive.errors import ClusterError

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

PROMPT = 10.0
"""Below the 30 seconds that a connection is tried for, far above what a handshake takes."""


@frozen
class Papers:
    """One authority, and a certificate that serves every role."""

    ca: str
    cert: str
    key: str

    @property
    def security(self):
        return distributed.Security(
            tls_ca_file=self.ca, tls_client_cert=self.cert, tls_client_key=self.key, require_encryption=True
        )

    @property
    def arguments(self):
        return ("--protocol", "tls", "--tls-ca-file", self.ca, "--tls-cert", self.cert, "--tls-key", self.key)


def issue(folder):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    papers = Papers(*(str(folder / name) for name in ("ca.pem", "cert.pem", "key.pem")))
    authority.cert_pem.write_to_path(papers.ca)
    certificate.private_key_pem.write_to_path(papers.key)
    for i, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(papers.cert, append=i > 0)
    return papers


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return issue(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def strangers_papers(tmp_path_factory):
    """Of an authority that nobody else knows."""
    return issue(tmp_path_factory.mktemp("strangers"))


@asynccontextmanager
async def tls_scheduler(papers):
    with anyio.fail_after(LIMIT):
        async with embedded_scheduler(dashboard_address=None, more=papers.arguments) as scheduler:
            assert scheduler.address.startswith("tls://")
            yield scheduler


async def test_a_cluster_of_worker_processes_is_adapted_over_tls(papers):
    template = WorkerTemplate(worker_command(more=papers.arguments))
    async with (
        tls_scheduler(papers) as scheduler,
        command_cluster(scheduler.address, either_way(template), security=papers.security) as cluster,
        a_client(scheduler.address, papers.security) as client,
        adaptive(cluster, minimum=1, maximum=2, interval=0.1, idle_timeout=0.2) as scaler,
    ):
        future = client.submit(lambda: "done", pure=False)
        assert await anyio.to_thread.run_sync(future.result, abandon_on_cancel=True) == "done"
        assert next(iter((await cluster._link.roster()).values())).address.startswith("tls://")
        future.release()
        # Now it is drained, which takes a connection of another kind.
        scaler.set_limits(minimum=0)
        with anyio.fail_after(LIMIT):
            while not (
                drained := [r.outcome for r in scaler.history if r.outcome and r.outcome.action == "drain"]
            ):
                await anyio.sleep(0.02)
        assert drained[0].result == "done", drained


async def test_an_unknown_authority_is_an_error_that_says_so_at_once(papers, strangers_papers):
    async with tls_scheduler(papers) as scheduler:
        async with open_link(scheduler.address, security=papers.security) as link:
            assert await link.roster() == {}
        async with open_link(scheduler.address, security=strangers_papers.security) as link:
            with (
                anyio.fail_after(PROMPT),
                pytest.raises(ClusterError, match="TLS certificate does not match"),
            ):
                await link.identity()


async def test_a_scheduler_that_cannot_be_trusted_is_told_in_the_records_and_nothing_is_launched(
    papers, strangers_papers
):
    async with tls_scheduler(papers) as scheduler:
        with anyio.fail_after(PROMPT):
            async with (
                command_cluster(scheduler.address, security=strangers_papers.security) as cluster,
                adaptive(cluster, minimum=1, interval=0.1) as scaler,
                aclosing(scaler.records()) as records,
            ):
                async for record in records:
                    assert record.kind == "sample failed"
                    assert "certificate" in record.error.lower()
                    break
                assert "certificate" in scaler.statistics().last_error.lower()
                assert cluster.pids == {}


async def test_a_client_that_the_scheduler_does_not_trust_fails_at_once(papers, strangers_papers):
    mixed = Papers(papers.ca, strangers_papers.cert, strangers_papers.key)
    async with (
        tls_scheduler(papers) as scheduler,
        open_link(scheduler.address, security=mixed.security) as link,
    ):
        with anyio.fail_after(PROMPT), pytest.raises(ClusterError, match="SSL"):
            await link.identity()


async def test_no_certificate_at_all_is_an_error_that_names_the_configuration(papers):
    async with tls_scheduler(papers) as scheduler, open_link(scheduler.address) as link:
        with anyio.fail_after(PROMPT), pytest.raises(ClusterError, match="TLS configuration"):
            await link.identity()
