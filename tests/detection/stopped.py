"""lightnas train-det in a process that gets a signal in its second epoch, after a step: python -c
TEXT SIGNAL ARGUMENT ...

Run by its text, as tests/stopped.py is.
"""

import os
import sys
import time

from lightnas.cli.main import main
from lightnas.detection.runners import WholeEpochRunner

call_hook = WholeEpochRunner.call_hook


def signalled(self, name):
    call_hook(self, name)
    if name == "after_train_iter" and self.epoch == 1:
        os.kill(os.getpid(), int(sys.argv[1]))


WholeEpochRunner.call_hook = signalled
time.sleep = lambda seconds: None  # see tests/detection/conftest.py
if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
