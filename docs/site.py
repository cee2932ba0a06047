"""Hooks of mkdocs: pages under the paths of the repository, and equations as MathML.

Links between pages are those of a plain view of the repository, so the site has its layout.
"""

import html
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PUBLISHED = (
    *("README.md", "RESULTS.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("NOTICE", "LICENSE", "CITATION.cff", "results/*.json", "results/README.md"),
    *("docs/**/*.md", "docs/**/*.svg", "docs/**/*.png", "docs/**/*.html", "docs/*.css"),
    "egs/*/README.md",
)
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Publish files of the repository, and those of the theme."""
    docs = str(Path(config.docs_dir))
    published = Files([file for file in files if file.src_dir != docs])
    for pattern in PUBLISHED:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            published.append(File.generated(config, name, abs_src_path=str(path)))
    return published


def on_page_content(content: str, **_: object) -> str:
    """Replace LaTeX by MathML, which browsers draw without a script."""
    return EQUATION.sub(_draw_equation, content)


def _draw_equation(match: re.Match[str]) -> str:
    display = "block" if match[1] == "div" else "inline"
    return convert(html.unescape(match[2]), display=display)
