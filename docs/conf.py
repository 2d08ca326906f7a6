"""How Sphinx builds the pages: `make docs`."""

import os
import sys
from pathlib import Path

# Before anything imports TensorFlow or matplotlib.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "docs" / "_ext"), str(ROOT / "benchmarks")]

import write_tables

import skvae

project = "skvae"
author = "The skvae developers"
copyright = "The skvae developers, BSD-3-Clause"
release = version = skvae.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "mathml",
]
exclude_patterns = ["_build", "gallery/*.md5", "gallery/*.ipynb"]
html_math_renderer = "mathml"

# Pages in Markdown

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution", "attrs_inline"]
myst_heading_anchors = 3
# Figures on the pages come from the results of the benchmarks.
myst_substitutions = write_tables.figures()

# The API reference

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_validation_checks = {
    "all",
    "ES01",  # no extended summary: a method that one sentence explains has none
    "EX01",  # no example: the classes have them
    "SA01",  # no "See Also": the classes have it
    "RT03",  # what a method returns has a name and a shape, and "self" needs no more
    "RT02",  # names what is returned, as scikit-learn does
    "GL01",  # the summary stands on the line of the quotes
    "PR06",  # "int", not "int type"; numpydoc takes "string"s of options for types
    "SS05",  # takes nouns that end in s for verbs
    "YD01",
}
# scikit-learn's own docstrings name pages of its own.
suppress_warnings = ["ref.ref", "ref.term"]
# Only links within these pages are checked: nothing here needs a connection.
linkcheck_ignore = [r"https?://"]

# The gallery

sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"imdb_sentiment\.py|latent_explorer",
    "doc_module": ("skvae",),
    "backreferences_dir": "generated/backreferences",
    "within_subsection_order": "FileNameSortKey",
    "show_signature": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "min_reported_time": 0,
}

# How it looks

html_theme = "pydata_sphinx_theme"
html_title = "skvae"
html_static_path = ["_static"]
html_css_files = ["skvae.css"]
templates_path = ["_templates"]
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}
# Pages that stand alone have nothing to list beside them.
html_sidebars = {
    page: []
    for page in (
        "architecture",
        "bad_input",
        "benchmarks",
        "changelog",
        "explorer",
        "faq",
        "index",
        "pitfalls",
        "quickstart",
        "which_one",
    )
}
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
