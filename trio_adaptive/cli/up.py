"""``trio-adaptive up``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trio_adaptive.cli.options import add_command, add_scaling, given, option
from trio_adaptive.cli.serving import Command, serve
from trio_adaptive.cli.web_options import add_web_options, web_of
from trio_adaptive.cli.worker_options import whole_number
from trio_adaptive.errors import ConfigurationError, Mistake

if TYPE_CHECKING:
    from trio_adaptive.service.config_file.reading import Configuration

EXAMPLES = """\
examples:
  trio-adaptive up --minimum 0 --maximum 4
  trio-adaptive up --port 8786 --idle-timeout 60s
  trio-adaptive up --scheduler tcp://host:8786 --maximum 16     # workers here for a scheduler there
  trio-adaptive up cluster.yaml --maximum 20                    # a SLURMCluster, a KubeCluster, ...
  trio-adaptive up service.toml                                 # everything in one file, several clusters
"""


def add(commands: Any) -> None:
    """Add the command."""
    up = add_command(
        commands, "up", "bring an elastic cluster up, until Ctrl-C or SIGTERM", EXAMPLES, execute
    )
    add_scaling(up, "TOML file with everything: the service, its clusters, and how they are adapted")
    up.usage = "trio-adaptive up [options] [FILE]"
    up.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="TOML file, as with --config; or a YAML file that names the class of the cluster and its arguments;"
        " default: processes on this machine",
    )
    up.add_argument("--scheduler", metavar="ADDRESS", help="attach to this scheduler instead of starting one")
    up.add_argument(
        "--take-over", action="store_true", help="take the place of another autoscaler there, which then ends"
    )
    up.add_argument(
        "--name", help="what the workers are called; those of an earlier run by this name are taken over"
    )
    up.add_argument("--log-format", choices=("text", "json"), help="of the log lines (default text)")
    up.add_argument("--port", type=_port, help="port of the scheduler that is started (default: any)")
    add_web_options(up)


def _port(text: str) -> int:
    return whole_number(text, 0, 65535)


def execute(options: argparse.Namespace) -> int:
    """Serve until the end; returns the exit code."""
    return serve(options, _prepare)


def _prepare(options: argparse.Namespace, live: bool) -> Command:
    configuration = _configuration(options)
    from trio_adaptive.service.logs import set_up_logging  # noqa: PLC0415 - for this command only
    from trio_adaptive.service.up import up  # noqa: PLC0415 - slow to import

    live = live and len(configuration.clusters) == 1 and configuration.service.log_format == "text"
    form = options.log_format or configuration.service.log_format
    level = configuration.service.log_level
    set_up_logging(live=live, verbose=options.verbose, quiet=options.quiet, form=form, level=level)
    web = web_of(options, configuration)
    return lambda: up(configuration, given(options), live=live, web=web)


def _configuration(options: argparse.Namespace) -> Configuration:
    from trio_adaptive.service.config_file.reading import Configuration, Hosting, read_configuration  # noqa: PLC0415 - slow to import
    from trio_adaptive.service.config_file.tables import ServiceTable  # noqa: PLC0415
    from trio_adaptive.service.fleet import DEFAULT  # noqa: PLC0415

    said = given(options)
    if options.file is None or options.file.suffix == ".toml":
        return read_configuration(_one(options.file, options.config), said)
    from trio_adaptive.service.cluster_file import load_plan  # noqa: PLC0415

    misplaced = [option(name) for name in said.workers]
    plan = load_plan(options.file, said.scaling, config=options.config, misplaced=misplaced)
    return Configuration(ServiceTable(), {DEFAULT: Hosting(DEFAULT, plan)})


def _one(file: Path | None, config: Path | None) -> Path | None:
    if file is not None and config is not None:
        raise ConfigurationError([Mistake("--config", f"given beside {file}", "one of the two")])
    return file or config
