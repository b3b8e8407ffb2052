"""The suite's side of the frameworks' processes: one worker for each backend (and for JAX's 64-bit switch), started when first asked.

Requests are answered in order of urgency: what a check waits for goes before what has only been announced (``prefetch``), so that all
workers compile at once on all cores while the checks run. A worker that dies or hangs fails the request that it was at; the next
request starts a new one.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from suite import machine, watch, wire
from suite.backends import backends
from suite.model import Case

Arrays = Mapping[str, NDArray[Any]]

URGENT, ANNOUNCED = 0, 1
MOMENT = 0.2
"""Seconds after which whoever waits looks up."""
STARTS = 3
"""Starts that a process may die of, one after the other, before it is given up; one that hangs is not started again."""
REPEATABLE = ("evaluate", "experiment", "sweep")
"""Requests that need nothing of those before."""
START_LIMIT = 300.0
"""Seconds that a start may take, if an answer may not take longer: a framework that is imported for the first time may need minutes."""
ROOT = Path(__file__).resolve().parent.parent

MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32), "MALLOC_TOP_PAD_": str(1 << 28)}
"""Variables that have glibc keep memory that is freed, or large arrays would begin with thousands of page faults, in some processes and
not in others."""


class WorkerError(Exception):
    """A request failed; the text is the framework's own error, or says how the process ended."""


class FrameworkError(WorkerError):
    """The framework itself raised; its process goes on. ``traceback`` is the process' own, as text."""

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback


class StartError(WorkerError):
    """The process does not start: whatever it is asked, there will be no answer."""


class Absent(Exception):
    """The backend cannot be used in this environment; the text says why."""


@dataclass(frozen=True)
class Request:
    """What is asked: a header and arrays, see :mod:`suite.worker`."""

    header: Mapping[str, Any]
    arrays: Arrays = field(default_factory=dict)


class Answer(Future[wire.Message]):
    """A worker's answer. A signal ends the wait for it, whichever thread the system gives it to: Python heeds it in the main one alone."""

    def result(self, timeout: float | None = None) -> wire.Message:
        """As of any future; without a ``timeout`` it waits for ever, a moment at a time."""
        while timeout is None and not self.done():
            with contextlib.suppress(TimeoutError):
                return super().result(MOMENT)
        return super().result(timeout)


class Process:
    """One worker process and the thread that talks to it."""

    def __init__(
        self, backend: str, device: str, x64: bool, time_limit: float, variables: Mapping[str, str] | None = None, python: str = "",
        worker: str = "suite.worker", memory_limit: int = 0, start_limit: float = START_LIMIT,
    ) -> None:  # fmt: skip
        self.name = f"{backend}-{device}{'-x64' if x64 else ''}"
        self.x64 = x64
        self._python, self._worker = python, worker
        self._backend, self._device = backend, device
        self._limit, self._memory = time_limit, memory_limit or watch.default_memory()
        self._start_limit = max(start_limit, time_limit)
        self._losses = watch.Losses()
        self._variables = dict(variables or {})
        self._queue: queue.PriorityQueue[tuple[int, int, Request | None, Future[wire.Message]]] = queue.PriorityQueue()
        self._order = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        self._answered = 0
        self._absent = self._stillborn = ""
        self._closed = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object; close() closes it
        self._thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
        self._thread.start()

    def submit(self, request: Request, urgency: int = URGENT) -> Future[wire.Message]:
        """Queues a request; an announced one that is asked for urgently later moves up by :meth:`promote`."""
        future = Answer()
        self._queue.put((urgency, next(self._order), request, future))
        return future

    def promote(self, request: Request, future: Future[wire.Message]) -> None:
        """Puts an announced request in front; whoever comes first to its future serves it, the other entry is dropped."""
        self._queue.put((URGENT, next(self._order), request, future))

    def pin(self, core: int) -> None:
        """Moves every thread that the process has to one core, where the system can; those to come inherit it."""
        if self._process is None or not hasattr(os, "sched_setaffinity"):
            return
        for thread in Path(f"/proc/{self._process.pid}/task").glob("*"):
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(int(thread.name), {core})

    def close(self) -> None:
        """Ends the process; requests that are still waiting are cancelled."""
        while not self._queue.empty():
            try:
                self._queue.get_nowait()[3].cancel()
            except queue.Empty:
                break
        self._closed = True
        self._queue.put((URGENT - 1, next(self._order), None, Future()))
        if self._process is not None:
            self._process.kill()
        self._thread.join(timeout=10)
        if (process := self._process) is not None:
            process.kill()
            process.wait()
            _close_pipes(process)
        self._log.close()

    def _serve(self) -> None:
        while True:
            _, _, request, future = self._queue.get()
            if request is None or self._closed:
                future.cancel()
                return
            if future.done() or not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._answer(request))
            except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits for the future gets it
                future.set_exception(error)

    def _answer(self, request: Request) -> wire.Message:
        if refusal := self._losses.refusal(request.header):
            raise WorkerError(refusal)
        process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        guard = watch.Guard(process, self._limit, self._memory)
        try:
            wire.send(process.stdin, request.header, request.arrays)
            header, arrays = wire.receive(process.stdout)
        except (EOFError, OSError) as error:
            death = self._death(process, guard, watch.asked(request.header))
            of_memory = not guard.hung and (guard.reason or process.returncode == -signal.SIGKILL)
            if of_memory and self._answered and request.header["do"] in REPEATABLE and not self._closed:
                return self._answer(request)  # what it held may be of the requests before: a process of its own tells
            self._losses.note(request.header, str(death), bool(guard.reason))
            raise death from error
        finally:
            guard.cancel()
        self._answered += 1
        if guard.reason:  # it was stopped as it answered, which is not the next request's fault
            self._end(process)
        if "error" in header:
            raise FrameworkError(header["error"], header.get("traceback", ""))
        return header, arrays

    def _start(self) -> subprocess.Popen[bytes]:
        """The process, started if there is none; one that dies of that is started again, for whatever has killed it may be over."""
        if self._absent:
            raise Absent(self._absent)
        if self._stillborn:
            raise StartError(self._stillborn)
        for left in reversed(range(STARTS)):
            if self._process is not None:
                break
            process = self._launched()
            assert process.stdout is not None
            guard = watch.Guard(process, self._start_limit, self._memory)
            try:
                header, _ = wire.receive(process.stdout)
                guard.cancel()
                if guard.reason:
                    raise EOFError  # it was stopped as it said that it is there
            except (EOFError, OSError) as error:
                death = self._death(process, guard, " while starting")
                if guard.hung or not left or self._closed:
                    self._stillborn = str(death)
                    raise StartError(self._stillborn) from error
                continue
            finally:
                guard.cancel()
            if "absent" in header:
                self._absent = header["absent"]
                raise Absent(self._absent)
        assert self._process is not None
        return self._process

    def _launched(self) -> subprocess.Popen[bytes]:
        own = backends()[self._backend].environment(self._device, self.x64)
        path = str(ROOT) if self._python else python_path()
        environment = {**os.environ, **self._variables, **own, "PYTHONPATH": path}
        command = [self._python or sys.executable, "-m", self._worker, self._backend, self._device]
        self._log.seek(0)
        self._log.truncate()  # what is told of a death are its own last words
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._log}
        try:
            # In a process group of its own: what a terminal interrupts is the suite, which then ends its workers.
            process = subprocess.Popen(command, env=environment, process_group=0, **pipes)
        except OSError as error:
            raise StartError(f"the {self.name} process cannot be started: {error.strerror or error}") from error
        self._process, self._answered = process, 0
        if self._closed:  # meanwhile: whoever closes has seen no process
            process.kill()
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """Ends what is left of a process, and returns its exit status."""
        process.kill()
        status = process.wait()
        _close_pipes(process)
        self._process = None
        return status

    def _death(self, process: subprocess.Popen[bytes], guard: watch.Guard, at: str = "") -> WorkerError:
        """What became of a process that does not answer; the next request starts another."""
        guard.cancel()
        status = self._end(process)
        words = watch.last_words(self._log, guard.hung) if guard.hung or not guard.reason else []
        return WorkerError("\n".join([f"the {self.name} process {guard.reason or watch.how_it_ended(status)}{at}", *words]))


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    """Closes both ends; what could not be flushed to a dead process is dropped."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


class Processes:
    """The workers of a session, by backend, device and 64-bit switch; ``variables`` are added to their environment.

    ``python`` is the interpreter of another environment, which then finds the suite and what is installed there, nothing else;
    ``worker`` the module that runs there. ``time_limit`` has the seconds that one answer may take, ``memory_limit`` the bytes that a
    process may hold, by default half of what there is.
    """

    def __init__(
        self, device: str = "cpu", time_limit: float = 300.0, variables: Mapping[str, str] | None = None, python: str = "",
        worker: str = "suite.worker", memory_limit: int = 0,
    ) -> None:  # fmt: skip
        self.device = device
        self.time_limit, self.memory_limit = time_limit, memory_limit
        self._python, self._worker = python, worker
        self._variables = dict(variables or {})
        self._cache = ""
        self._running: dict[tuple[str, bool], Process] = {}
        self._descriptions: dict[tuple[str, bool], dict[str, Any]] = {}
        self._announced: dict[Any, tuple[Request, Future[wire.Message]]] = {}

    def steady(self, core: int | None, cache: str) -> None:
        """Makes processes, none of which has been started yet, fit to be timed.

        They see one core of the machine, keep memory that is freed, and find what other launches compiled in the directory ``cache``.
        """
        self._variables |= MEMORY
        if core is not None and hasattr(os, "sched_setaffinity"):
            self._variables[machine.CORE] = str(core)
        self._cache = cache

    def of(self, case: Case) -> Process:
        """The process that a case runs in."""
        return self.process(case.backend, needs_x64(case))

    def process(self, backend: str, x64: bool = False) -> Process:
        """The worker of a backend, not yet started."""
        key = (backend, x64)
        if key not in self._running:
            variables = self._variables | (backends()[backend].kept(self._cache) if self._cache else {})
            own = (variables, self._python, self._worker, self.memory_limit)
            self._running[key] = Process(backend, self.device, x64, self.time_limit, *own)
        return self._running[key]

    def describe(self, backend: str, x64: bool = False) -> dict[str, Any]:
        """``facts`` and ``missing`` of a backend; raises :class:`Absent` or :class:`WorkerError`."""
        key = (backend, x64)
        if key not in self._descriptions:
            request = Request({"do": "describe"})
            self._descriptions[key] = self.announce(("describe", key), self.process(backend, x64), request, URGENT).result()[0]
        return self._descriptions[key]

    def announce(self, key: Any, process: Process, request: Request, urgency: int = ANNOUNCED) -> Future[wire.Message]:
        """Queues a request under a key, once; further calls with the key return the same future."""
        if key not in self._announced:
            self._announced[key] = (request, process.submit(request, urgency))
        return self._announced[key][1]

    def answer(self, key: Any, process: Process, request: Request) -> wire.Message:
        """The answer to a request, announced before or not; waits for it."""
        future = self.announce(key, process, request, URGENT)
        if not future.done():
            process.promote(*self._announced[key])
        return future.result()

    def forget(self, chosen: Callable[[Any], bool]) -> None:
        """Drops requests that are waiting, and answers that are there, by their keys."""
        for key in [k for k, (_, future) in self._announced.items() if chosen(k) and (future.cancel() or future.done())]:
            del self._announced[key]

    def close(self) -> None:
        """Ends every worker."""
        for process in self._running.values():
            process.close()
        self._running.clear()


def needs_x64(case: Case) -> bool:
    """Whether a case runs in a process of its own, with the 64-bit switch on."""
    return case.dtype == "float64" and backends()[case.backend].needs_x64


def python_path() -> str:
    """Where a process of the suite's finds it, whatever directory it runs in."""
    inherited = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([str(ROOT), *([inherited] if inherited else [])])
