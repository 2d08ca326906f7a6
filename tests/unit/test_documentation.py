"""Modules that the documentation names exist."""

import re
from pathlib import Path

import pytest

import skvae

ROOT = Path(__file__).parents[2]
# The tests may run beside an installed package.
PACKAGE = Path(skvae.__file__).parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A path from the root of the project, a module of a private folder, or a folder.
ROOTED = re.compile(r"(?<![\w/.])((?:skvae|tests|benchmarks|examples)/[\w/]*\w\.py)\b")
PRIVATE = re.compile(r"(?<![\w/.])(_[a-z]+/[\w/]*\w\.py)\b")
FOLDER = re.compile(r"`(_[a-z]+)/`")
# "_head/labels.labelled_first": a name in a module.
MEMBER = re.compile(r"`(_[a-z]+/\w+)\.(\w+)[\w.]*`")
# "`classifier.py`" alone, as the table of floors lists modules.
BARE = re.compile(r"`(\w+\.py)`")


def missing(text):
    """What a page names and the project does not have."""
    named = [(PACKAGE.parent if path.startswith("skvae/") else ROOT) / path for path in ROOTED.findall(text)]
    named += [PACKAGE / path for path in [*PRIVATE.findall(text), *FOLDER.findall(text)]]
    modules = {path.name for path in PACKAGE.rglob("*.py")}
    absent = [str(path) for path in named if not path.exists()]
    absent += [name for name in BARE.findall(text) if name not in modules]
    for module, name in MEMBER.findall(text):
        path = PACKAGE / f"{module}.py"
        if name != "py" and not (
            path.exists() and re.search(rf"^(?:def|class) {name}\b", path.read_text(), re.MULTILINE)
        ):
            absent.append(f"{module}.{name}")
    return absent


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_named_in_the_documentation_exist(page):
    assert not missing(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        "`_batches.py`",
        "`skvae/networks.py`",
        "see _network/networks.py",
        "`_network/networks.py`: `build_encoder`",
        "`_nowhere/`",
        "`_head/labels.no_such_function`",
    ],
)
def test_a_module_that_does_not_exist_is_found(text):
    assert missing(text)


def test_pages_name_modules():
    architecture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert PRIVATE.search(architecture)
    assert MEMBER.search(architecture)
    assert BARE.search(architecture)
