"""lightnas in a process that gets a signal at one exact moment, however busy the machine is.

    python -c "$(cat stopped.py)" SIGNAL MOMENT FILE NTH COMMAND ...

The moment is ``before`` or ``after`` the process has replaced a file of that name (``*``: any) for
the nth time; a search saves its state after every step. SIGNAL is a number, or ``worker``: one of
the worker processes is killed instead. stdout begins with the ids of the workers. Run by its text:
this folder holds packages named as those under test.
"""

import itertools
import multiprocessing
import os
import pathlib
import sys

from lightnas.cli.main import main
from lightnas.runs import search_run

number, moment, name, nth, *arguments = sys.argv[1:]
replace, count = os.replace, itertools.count(1)
search_run.SAVE_EVERY = -1.0


def signalled(source, target):
    now = name in ("*", os.path.basename(target)) and next(count) == int(nth)
    if not now or moment == "after":
        replace(source, target)
    if now:
        workers = multiprocessing.active_children()
        print(*(worker.pid for worker in workers), flush=True)
        if number == "worker":
            workers[0].kill()
            workers[0].join()
        else:
            os.kill(os.getpid(), int(number))
    if now and moment == "before":
        replace(source, target)


os.replace = signalled
pathlib.Path.replace = lambda self, target: signalled(self, target)  # in Python 3.10 not os.replace
if __name__ == "__main__":
    sys.exit(main(arguments))
