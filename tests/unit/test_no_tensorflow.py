"""What these tests are about needs neither TensorFlow nor Keras, and starts in a moment."""

import subprocess
import sys

PURE = [
    "_base",
    "_texts",
    "_head",
    "_writing.guidance",
    "_writing.latents",
    "_writing.options",
    "tokenization",
]


def test_the_pure_parts_do_not_import_tensorflow():
    code = f"""
import importlib, pkgutil, sys

for name in {PURE}:
    module = importlib.import_module(f"skvae.{{name}}")
    for each in pkgutil.iter_modules(getattr(module, "__path__", [])):
        importlib.import_module(f"{{module.__name__}}.{{each.name}}")
print(sorted({{"tensorflow", "keras"}} & set(sys.modules)))
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
