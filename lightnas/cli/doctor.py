"""``lightnas doctor | setup-det``: what the detection stage needs, and how to get it."""

from __future__ import annotations

from pathlib import Path

import click

from .options import PATH, json_option
from .pages import example, option
from .saying import say, say_json


@click.command("setup-det", epilog=example("setup-det"))
@option(
    "--find-links",
    metavar="DIR",
    type=PATH,
    help="Take everything from this folder of wheels and sources; no network.",
)
def setup_det(find_links: Path | None) -> None:
    """Install mmcv without a compiler.

    The last step after pip install '.[det]' in a checkout of lightnas. Can be run again.
    """
    from ..install.setup_det import setup_det as run
    from .detector_options import quiet_threads

    quiet_threads()
    run(find_links, say)


@click.command(epilog=example("doctor"))
@json_option
def doctor(as_json: bool) -> None:
    """Say what the detection stage lacks, and what mends it.

    Which versions are installed, which were expected, and the command that helps.
    """
    from ..install.doctor import examine
    from .tables import print_findings

    findings = examine()
    if as_json:
        say_json({"findings": [vars(finding) for finding in findings]})
    else:
        print_findings(findings)
    if any(finding.mend for finding in findings):
        click.get_current_context().exit(1)
