"""Writes the README's badges, as pictures of our own, from what pyproject.toml declares.

python docs/_ext/badges.py
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "images"
# Width of a letter and the space around a word, in pixels.
LETTER, MARGIN = 6.6, 12
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{name}: {value}">
<title>{name}: {value}</title>
<clipPath id="round"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#round)"><rect width="{split}" height="20" fill="#444"/><rect x="{split}" width="{rest}" height="20" fill="#1f6f8b"/></g>
<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11" text-anchor="middle">
<text x="{left}" y="14">{name}</text><text x="{right}" y="14">{value}</text>
</g>
</svg>
"""


def badges() -> dict[str, str]:
    """The content of each file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sklearn = next(each for each in project["dependencies"] if each.startswith("scikit-learn"))
    values = {
        "version": project["version"],
        "python": _from(project["requires-python"]),
        "scikit-learn": _from(sklearn),
        "license": project["license"],
    }
    return {f"badge_{name}.svg": _drawn(name, value) for name, value in values.items()}


def _from(requirement: str) -> str:
    found = re.search(r">=([\d.]+)", requirement)
    assert found is not None
    return f"{found[1]} or later"


def _drawn(name: str, value: str) -> str:
    split, rest = (round(len(word) * LETTER) + MARGIN for word in (name, value))
    return TEMPLATE.format(
        name=name,
        value=value,
        split=split,
        rest=rest,
        width=split + rest,
        left=split / 2,
        right=split + rest / 2,
    )


if __name__ == "__main__":
    for file, content in badges().items():
        (FOLDER / file).write_text(content, encoding="utf-8")
