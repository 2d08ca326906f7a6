"""The file of results that a script leaves: figures, and the commands, versions and machine behind them; read by other scripts here."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("skvae", "scikit-learn", "tensorflow", "keras", "numpy")


def versions(*packages: str) -> dict[str, str]:
    return {name: version(name) for name in (*PACKAGES, *packages)}


def earlier_results(name: str) -> dict[str, Any]:
    """What earlier commands left, for a command that measures a part anew.

    Parts that were measured with other versions of the libraries cannot stand beside it. Of skvae, all versions are named.
    """
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return {}
    document: dict[str, Any] = json.loads(path.read_text())
    known = document["versions"]
    other = {each: number for each, number in known.items() if each != "skvae" and number != version(each)}
    if other:
        raise SystemExit(f"{path.name} has results of other versions, {other}; measure all parts again.")
    return document


def keep_results(
    name: str, figures: dict[str, Any], *packages: str, earlier: dict[str, Any] | None = None
) -> None:
    """Write the results of this command, beside those of earlier ones that it does not replace.

    Versions of `packages` are kept with those that every script uses.
    """
    before = dict(earlier or {})
    commands = before.pop("commands", [])
    found = versions(*packages)
    # What stays may have been measured with an earlier one.
    of_skvae = before.get("versions", {}).get("skvae", found["skvae"]).split(" and ")
    found["skvae"] = " and ".join(dict.fromkeys([*of_skvae, found["skvae"]]))
    document = {
        "commands": list(dict.fromkeys([*commands, _command(name)])),
        "versions": found,
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(before | document | figures, indent=1) + "\n")


def _command(name: str) -> str:
    # Where somebody keeps the data is nobody's business.
    arguments = []
    for option, each in pairwise(sys.argv):
        kind = "FOLDER" if option == "--models" else "DATA" if Path(each).is_dir() else "FILE"
        arguments.append(kind if os.sep in each else each)
    return shlex.join(["python", f"benchmarks/{name}.py", *arguments])
