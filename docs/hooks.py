"""How the pages of the checkout become pages of the site: what mkdocs asks of a hook.

README.md is the home page, and pages at the top of the checkout are pages too. Whatever else a page
links to, a file or a folder of the checkout, gets a page that shows it, below ``source/``: the
site needs nothing that lies elsewhere. A link that leads nowhere is left as it is, for mkdocs to
refuse. The gallery shows the reports that its own commands have made.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HOME = "README.md"
# At the top of the checkout, beside the pages of docs/.
TOP_PAGES = (HOME, "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".cfg": "ini", ".toml": "toml"}
# Files of a folder that are shown with it.
SHOWN = {*LANGUAGES, ".txt", ".csv", ".md", ".html", ".css", ".js", ""}
# The target of a link or a picture, behind what opens it and before its anchor; words in backticks
# and indented code are no links.
LINK = re.compile(r'(`[^`\n]+`|^ {4}.*$)|(\]\(|\bsrc=")([^)"#\s]+)', re.MULTILINE)
# Python's Markdown wants no escapes in the code of a table; GitHub's does.
PIPE = re.compile(r"`[^`\n]*\\\|[^`\n]*`")
ABSOLUTE = re.compile(r"[a-z]+:")
# Where the commands of the gallery put what they make, and the reports in the site.
MADE = re.compile(r"--(?:output|work-dir) outputs/(gallery|demo)/(\w+)")
BLOCK = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)


def links(markdown: str) -> Iterator[str]:
    """The targets of a page's links and pictures that are no addresses, without their anchors."""
    for found in LINK.finditer(markdown):
        if found[3] and not ABSOLUTE.match(found[3]):
            yield found[3]


def inside(target: str, page: str) -> str | None:
    """The path in the checkout of what a page (its path in the checkout) links to; None: nothing."""
    path = os.path.normpath(os.path.join(os.path.dirname(page), target))
    return path if not path.startswith("..") and (ROOT / path).exists() else None


def place(path: str) -> str:
    """Where in the site something of the checkout is: a page's source path, as mkdocs has it."""
    if path in (HOME, "docs"):
        return "index.md"
    if path in TOP_PAGES:
        return path
    if path.startswith("docs/") and (ROOT / path).is_file() and not path.endswith(".py"):
        return path.removeprefix("docs/")
    return f"source/{path}/index.md" if (ROOT / path).is_dir() else f"source/{path}.md"


def origin(place_: str) -> str | None:
    """The path in the checkout of a page of the site; None: it is shown source, already linked."""
    if place_.startswith("source/"):
        return None
    if place_ == "index.md":
        return HOME
    return place_ if place_ in TOP_PAGES else f"docs/{place_}"


def rewritten(markdown: str, page: str) -> str:
    """A page of the checkout with its links as they are in the site."""
    here = os.path.dirname(place(page))

    def there(found: re.Match[str]) -> str:
        path = None if found[1] or ABSOLUTE.match(found[3]) else inside(found[3], page)
        if path is None:
            if found[2] == 'src="' and not ABSOLUTE.match(found[3]):  # mkdocs looks at no HTML
                raise FileNotFoundError(f"{page}: {found[3]} is not there")
            return found[0]
        return found[2] + os.path.relpath(place(path), here or ".")

    return PIPE.sub(lambda cell: cell[0].replace(r"\|", "|"), LINK.sub(there, markdown))


def shown(path: str) -> dict[str, str]:
    """The pages that show a file, or a folder with its files: sources by place."""
    whole = ROOT / path
    title = "---\nsearch: {exclude: true}\nhide: [navigation]\n---\n" + f"# {path}\n\n"
    if whole.is_file():
        fence = "`" * 6
        return {
            place(
                path
            ): f"{title}{fence}{LANGUAGES.get(whole.suffix, 'text')}\n{whole.read_text()}\n{fence}\n"
        }
    files = [
        file
        for file in sorted(whole.iterdir())
        if file.is_file() and file.suffix in SHOWN and not file.name.startswith(".")
    ]
    pages = {
        at: page for file in files for at, page in shown(file.relative_to(ROOT).as_posix()).items()
    }
    rows = "".join(f"| [`{file.name}`]({file.name}.md) | {_says(file)} |\n" for file in files)
    return {place(path): f"{title}| | |\n| --- | --- |\n{rows}", **pages}


def _says(file: Path) -> str:
    """The first sentence of a module."""
    if file.suffix != ".py":
        return ""
    told = ast.get_docstring(ast.parse(file.read_text())) or ""
    return told.split("\n\n")[0].replace("\n", " ").replace("|", r"\|")


def sources() -> Mapping[str, str]:
    """Every page that is no file of docs/ itself, by its place in the site."""
    pages = {place(page): (ROOT / page).read_text() for page in TOP_PAGES}
    texts = [*TOP_PAGES, *(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md"))]
    for page in texts:
        for target in links((ROOT / page).read_text()):
            path = inside(target, page)
            if path is not None and place(path).startswith("source/"):
                pages |= shown(path)
    return pages


def with_reports(markdown: str) -> str:
    """The gallery, with the report of every command below it."""

    def reported(found: re.Match[str]) -> str:
        made = MADE.search(found[0])
        if made is None or not (ROOT / "outputs" / made[1] / made[2] / "report.html").is_file():
            return found[0]
        at = f"reports/{made[2]}.html"
        style = "width:100%;height:36rem"
        frame = f'<iframe src="{at}" title="The report of {made[2]}" loading="lazy" style="{style}"></iframe>'
        return f"{found[0]}\n[The whole page]({at})\n\n{frame}\n"

    return BLOCK.sub(reported, markdown)


def on_files(files: Any, config: Any) -> Any:
    """As mkdocs asks: the pages and reports that do not lie in docs/."""
    from mkdocs.structure.files import File

    for at, text in sources().items():
        files.append(File.generated(config, at, content=text))
    for made in MADE.finditer((ROOT / "docs/gallery.md").read_text()):
        report = ROOT / "outputs" / made[1] / made[2] / "report.html"
        if report.is_file():
            files.append(
                File.generated(config, f"reports/{made[2]}.html", abs_src_path=str(report))
            )
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """As mkdocs asks: a page with the links of the site."""
    path = origin(page.file.src_uri)
    if path is None:
        return markdown
    markdown = rewritten(markdown, path)
    return with_reports(markdown) if path == "docs/gallery.md" else markdown
