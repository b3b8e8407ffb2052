"""Runs the shards of a sweep on a Dask cluster: one of this machine's own, or one at an address.

A worker that dies takes its shard with it, and the shard is computed again elsewhere. On CPUs of one kind, with the same releases, results
do not depend on who computed them; what differs there ends the sweep (:mod:`suite.ledger`).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from suite import machine, shards, watch
from suite.processes import MEMORY

RETRIES = 5
"""How often a shard is tried again whose worker has died."""

PATIENCE = 60
"""Seconds to wait for a scheduler's first worker."""

AHEAD = 2
"""Shards that are handed out for each worker, so that none waits for the next one."""


WATCHING = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.cycle": "10s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.disk": False,
}
"""Dask looks after itself so often that on two cores it takes a tenth of one."""

DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"
"""What this machine's own workers begin with: a terminal sends Ctrl-C to all, and it is the sweep's affair to end them."""


class ClusterError(Exception):
    """The cluster cannot be reached, or gives up on a shard; the text says why."""


@contextmanager
def connect(address: str, jobs: int) -> Iterator[Any]:
    """A client of the scheduler at ``address``, or of a cluster of ``jobs`` processes on this machine if that is empty."""
    import dask
    from distributed import Client, LocalCluster

    quiet = {"logging.distributed": "critical", "logging.tornado": "critical", "distributed.worker.preload": [DEAF], **WATCHING}
    own = {**MEMORY, watch.SHARES: str(jobs)}
    memory = {f"distributed.nanny.pre-spawn-environ.{name}": setting for name, setting in own.items()}
    with dask.config.set({"distributed.scheduler.allowed-failures": RETRIES, **quiet, **memory}):
        for name in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if address:
            try:
                client = Client(address, timeout="20s")
            except (OSError, ValueError) as error:
                raise ClusterError(f"--dask: no scheduler answers at {address}: {error}") from error
            with client:
                try:
                    client.wait_for_workers(1, timeout=PATIENCE)
                except TimeoutError as error:
                    raise ClusterError(f"--dask: the scheduler at {address} has no worker after {PATIENCE} s") from error
                yield client
            return
        options = {
            "processes": True,
            "threads_per_worker": 1,
            "dashboard_address": ":0",
            "memory_limit": 0,
            "silence_logs": logging.CRITICAL,
        }
        with LocalCluster(n_workers=jobs, **options) as cluster, Client(cluster) as client:
            yield client


def results(client: Any, tasks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """(task, result) as they finish; the tasks are begun in their order.

    Raises:
        ClusterError: workers died over a shard again and again, or it failed for a reason that is not the framework's.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    waiting = iter(enumerate(tasks))
    running: dict[Any, Mapping[str, Any]] = {}
    finished = as_completed()
    # A scheduler takes two tasks of one key for the same, whoever has sent them.
    mine = uuid.uuid4().hex

    def hand_out() -> None:
        wanted = AHEAD * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        for number, task in islice(waiting, max(0, wanted - len(running))):
            key = f"{task['group']} shard {task['shard']} {mine}"
            future = client.submit(shards.run, task, key=key, priority=-number, pure=False)
            running[future] = task
            finished.add(future)

    hand_out()
    for future in finished:
        task = running.pop(future)
        named = f"shard {task['shard']} of {task['group']}"
        try:
            result = future.result()
        except KilledWorker as error:
            raise ClusterError(f"{named}: its workers died over it again and again") from error
        except Exception as error:
            raise ClusterError(f"{named}: {type(error).__name__}: {error}") from error
        future.release()
        hand_out()
        yield task, result


def default_jobs() -> int:
    """One process for each core that this process may use."""
    return len(machine.cores())
