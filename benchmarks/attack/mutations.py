"""Mutated files through the readers of lightnas: each is read or refused in one line, in ten seconds
and a gigabyte at most.

Half of them are mutated in their bytes, half in their values. The files of one kind are read in a
process of their own, which has an alarm and a limit of memory; a process that dies or hangs is
replaced, and the file that it read counts as fallen.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from lightnas.errors import InputError, WorkError

from .mutate import mutated_bytes
from .readers import READERS, Reader, write_samples
from .tally import Tally

# Limits of one file: seconds of the processor, which a busy machine does not lengthen, and bytes. An
# alarm may wait for a call in C to end; HANGS is when nobody waits any longer.
SECONDS, MEMORY, HANGS = 10, 2**30, 120


def attack(count: int, seed: int) -> list[Tally]:
    """So many mutated files of each kind."""
    # One thread of numpy's a process: two processes share the cores already.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="lightnas-mutations-") as name:
        folder = Path(name)
        write_samples(folder)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return list(threads.map(partial(_attacked, folder, count, seed), READERS))


def _attacked(folder: Path, count: int, seed: int, reader: Reader) -> Tally:
    """The files of one kind, in one process after the other where one dies."""
    tally = Tally(f"mutated: {reader.name}")
    while tally.tried < count:
        with tempfile.TemporaryDirectory(prefix="lightnas-mutation-") as name:
            copied = Path(name) / "files"
            shutil.copytree(folder, copied)
            for done, line in _told(reader, copied, seed, tally.tried, count):
                tally.tried = done
                if line:
                    tally.fallen.append(line)
    return tally


def _told(
    reader: Reader, folder: Path, seed: int, first: int, count: int
) -> Iterator[tuple[int, str]]:
    """How many files are done, and what fell, as one process tells it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_read_all, args=(reader.name, folder, seed, first, count, theirs)
    )
    process.start()
    theirs.close()
    done = -1
    try:
        while done < count:
            if not ours.poll(HANGS):
                process.kill()
                yield max(first, done) + 1, f"seed {seed}, file {done}: read for over {HANGS} s"
                return
            done, line = ours.recv()
            yield done, line
    except EOFError:
        process.join()
        if done < 0:
            raise RuntimeError(f"{reader.name}: the whole file cannot be read") from None
        yield done + 1, f"seed {seed}, file {done}: the process died ({process.exitcode})"
    finally:
        process.join()


def _read_all(
    name: str, folder: Path, seed: int, first: int, count: int, connection: Connection
) -> None:
    """Mutate and read files first ... count - 1 of a kind, and tell of each."""
    reader = next(reader for reader in READERS if reader.name == name)
    path = folder / reader.path
    whole = path.read_bytes()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _ring)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        reader.read(folder)  # whole: it must be read, and loads what reading needs
        _limit_memory()
        connection.send((first, ""))
        for i in range(first, count):
            path.write_bytes(mutated(reader, whole, seed, i))
            line = _read_one(reader, folder)
            connection.send((i + 1, f"seed {seed}, file {i}: {line}" if line else ""))


def mutated(reader: Reader, whole: bytes, seed: int, i: int) -> bytes:
    """The i-th mutation of a file."""
    rng = np.random.default_rng([seed, i])
    if reader.mutations and i % 2:
        # A change may not go with one before it, such as another type of an array that is damaged.
        with contextlib.suppress(Exception):
            return reader.mutations[i // 2 % len(reader.mutations)](whole, rng)
    return mutated_bytes(whole, rng)


class _TooLongError(BaseException):
    """Raised by the alarm, through whatever catches exceptions."""


def _ring(number: int, frame: Any) -> None:
    raise _TooLongError


def _limit_memory() -> None:
    """So much more than now; where the system does not tell, no limit."""
    if sys.platform.startswith("linux"):
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))


def _read_one(reader: Reader, folder: Path) -> str:
    """What fell where a mutated file was read; nothing where it was read or refused."""
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        reader.read(folder)
    except (InputError, WorkError) as error:
        if "\n" in str(error):
            return f"the message has several lines: {str(error)[:200]!r}"
    except _TooLongError:
        return f"read for over {SECONDS} s"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    took = time.process_time() - began
    return f"took {took:.0f} s" if took > SECONDS else ""
