"""``lightnas doctor | setup-det``: what the detection stage needs, and how to get it."""

from __future__ import annotations

from pathlib import Path

import click

from .options import PATH, json_option
from .saying import say, say_json


@click.command("setup-det")
@click.option(
    "--find-links",
    metavar="DIR",
    type=PATH,
    help="Take everything from this folder of wheels and sources; no network.",
)
def setup_det(find_links: Path | None) -> None:
    """Install mmcv without a compiler, the last step after pip install 'lightnas[det]'. Can be run
    again."""
    from ..install.setup_det import setup_det as run
    from .detector_options import quiet_threads

    quiet_threads()
    run(find_links, say)


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Which versions are installed for the detection stage, what does not fit, and the command that
    mends it."""
    from ..install.doctor import examine
    from .tables import print_findings

    findings = examine()
    if as_json:
        say_json({"findings": [vars(finding) for finding in findings]})
    else:
        print_findings(findings)
    if any(finding.mend for finding in findings):
        click.get_current_context().exit(1)
