"""``python -m lightnas``, and the command ``lightnas``.

Signals are heeded before anything is imported that takes its time: a Ctrl-C in the first instants
is one line too.
"""

from __future__ import annotations

import os
import signal
import sys

ENDINGS = {signal.SIGINT: ("interrupted", 130), signal.SIGTERM: ("terminated", 143)}


def main() -> int:
    """Run the command line; returns the exit status."""
    usual = {number: signal.getsignal(number) for number in ENDINGS}
    # A shell starts background jobs with SIGINT ignored; that stays.
    heeded = [number for number, handler in usual.items() if handler != signal.SIG_IGN]
    try:
        for number in heeded:
            signal.signal(number, _leave_at_once)
        from .cli.main import main as run
        from .cli.streams import settle_streams

        settle_streams()
        for number in heeded:
            signal.signal(number, usual[number])
        return run()
    except KeyboardInterrupt:  # between two steps of the above
        _leave_at_once(signal.SIGINT, None)
        raise
    finally:
        for number in heeded:  # nothing is left to be said
            signal.signal(number, signal.SIG_DFL)


def _leave_at_once(number: int, frame: object) -> None:
    """Nothing has begun yet that could be left half done."""
    how, status = ENDINGS[signal.Signals(number)]
    os.write(2, f"lightnas: {how}\n".encode())
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
