"""Write the files that pages name into their code blocks: ``python -m tools.snippets``.

A block after ``<!-- file: PATH -->`` holds the text of that file, if the repository has it.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"(?P<head><!-- file: (?P<path>\S+) -->\n```\w*\n)(?P<code>.*?)(?P<tail>^```$)", re.DOTALL | re.MULTILINE
)


def with_files(text: str) -> str:
    """Return a page's text with the code of the files that it names."""

    def filled(block: re.Match[str]) -> str:
        file = ROOT / block["path"]
        return f"{block['head']}{file.read_text() if file.exists() else block['code']}{block['tail']}"

    return BLOCK.sub(filled, text)


if __name__ == "__main__":
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        page.write_text(with_files(page.read_text()))
