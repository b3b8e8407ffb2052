"""Runs the shards of a sweep on a Dask cluster: one of this machine's own, or one at an address.

A worker that dies takes its shard with it, and the shard is computed again elsewhere. Results do not depend on who computed them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from suite import shards

RETRIES = 5
"""How often a shard is tried again whose worker has died."""

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


class ClusterError(Exception):
    """The cluster cannot be reached, or gives up on a shard; the text says why."""


@contextmanager
def connect(address: str, jobs: int) -> Iterator[Any]:
    """A client of the scheduler at ``address``, or of a cluster of ``jobs`` processes on this machine if that is empty."""
    import dask
    from distributed import Client, LocalCluster

    quiet = {"logging.distributed": "critical", "logging.tornado": "critical", **WATCHING}
    memory = {f"distributed.nanny.pre-spawn-environ.{name}": setting for name, setting in shards.MEMORY.items()}
    with dask.config.set({"distributed.scheduler.allowed-failures": RETRIES, **quiet, **memory}):
        for name in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if address:
            try:
                with Client(address, timeout="20s") as client:
                    yield client
            except (OSError, ValueError) as error:
                raise ClusterError(f"--dask: no scheduler answers at {address}: {error}") from error
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
    """(task, result) as they finish; the tasks are begun in their order."""
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    waiting = iter(enumerate(tasks))
    running: dict[Any, Mapping[str, Any]] = {}

    def hand_out() -> Any:
        number, task = next(waiting, (0, None))
        if task is None:
            return None
        future = client.submit(shards.run, task, key=f"{task['group']} shard {task['shard']}", priority=-number, pure=False)
        running[future] = task
        return future

    wide = AHEAD * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    finished = as_completed([f for f in (hand_out() for _ in range(min(wide, len(tasks)))) if f is not None])
    for future in finished:
        task = running.pop(future)
        try:
            result = future.result()
        except KilledWorker as error:
            raise ClusterError(f"shard {task['shard']} of {task['group']}: {RETRIES} workers died over it") from error
        future.release()
        another = hand_out()
        if another is not None:
            finished.add(another)
        yield task, result


def default_jobs() -> int:
    """One process for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
