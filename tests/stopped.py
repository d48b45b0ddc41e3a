"""lightnas in a process that gets a signal at one exact moment, however busy the machine is.

    python -c "$(cat stopped.py)" SIGNAL MOMENT FILE NTH COMMAND ...

The moment is ``before`` or ``after`` the process has replaced a file of that name (``*``: any) for
the nth time; a search saves its state after every step. It is ``step`` where a training, in its nth
epoch, has made a step. SIGNAL is a number, or ``worker``: one of the worker processes is killed
instead. stdout begins with the ids of the workers. Run by its text: this folder holds packages
named as those under test.
"""

import itertools
import multiprocessing
import os
import pathlib
import sys
import time


def at_file(number, moment, name, nth):
    """The signal comes before or after the nth replacing of a file of that name."""
    replace, count = os.replace, itertools.count(1)

    def signalled(source, target):
        now = name in ("*", os.path.basename(target)) and next(count) == nth
        if not now or moment == "after":
            replace(source, target)
        if now:
            strike(number)
        if now and moment == "before":
            replace(source, target)

    os.replace = signalled
    # In Python 3.10 it is not os.replace.
    pathlib.Path.replace = lambda self, target: signalled(self, target)


def at_step(number, epoch):
    """The signal comes after a step of that epoch of a training."""
    from lightnas.detection.runners import WholeEpochRunner

    call_hook = WholeEpochRunner.call_hook

    def signalled(self, name):
        call_hook(self, name)
        if name == "after_train_iter" and self.epoch == epoch - 1:
            strike(number)

    WholeEpochRunner.call_hook = signalled


def strike(number):
    workers = multiprocessing.active_children()
    print(*(worker.pid for worker in workers), flush=True)
    if number == "worker":
        workers[0].kill()
        workers[0].join()
    else:
        os.kill(os.getpid(), int(number))


def hurry():
    """A search saves after every step; mmcv, which sleeps 2 s an epoch, does not."""
    from lightnas.runs import search_run

    search_run.SAVE_EVERY = -1.0
    time.sleep = lambda seconds: None  # see tests/detection/conftest.py


if __name__ == "__main__":
    from lightnas.cli.main import main

    number, moment, name, nth, *arguments = sys.argv[1:]
    hurry()
    if moment == "step":
        at_step(number, int(nth))
    else:
        at_file(number, moment, name, int(nth))
    sys.exit(main(arguments))
