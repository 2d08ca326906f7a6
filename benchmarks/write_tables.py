"""Writes docs/benchmarks.md, the README's table and its picture from what the benchmarks left in benchmarks/results.

python benchmarks/write_tables.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import class_head as head
import compare as of_compare
import keras_vae_2017 as system_of_2017
import numpy as np
import scale as of_scale
from few_labels import FIGURES, table

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
README = HERE.parent / "README.md"
PICTURE = HERE.parent / "docs" / "images" / "few_labels.png"
# Of the comparison on ten sets, what the README shows: how many labels a class, and which of the others by name.
README_LABELS = 50
README_OTHERS = ("TF-IDF + LR", "LSA 200 + LR", "embedding + LR")
README_COMPARED = """\
All {n_sets} sets were measured with {counts} labels a class, in {draws} of the labelled texts. The better row of skvae is ahead of the best of up to {n_others}
other methods in {ahead} of these {cases} cases{level}. In the other {behind}, it is behind by at most {most_behind:.1f} points. Without the embedding, skvae
is ahead in {ahead_alone}, and behind by at most {most_behind_alone:.1f} points."""
README_MARKS = "<!-- accuracy: written by benchmarks/write_tables.py -->\n", "<!-- end of accuracy -->\n"

INTRODUCTION = """\
# Benchmarks

Written by `python benchmarks/write_tables.py` from the JSON files in `benchmarks/results`. Times were measured on one machine with
two cores that did other work at the same time. Compare times within one table only.
"""

FOUNDATION = """\
## Time and memory of the features

25,000 IMDB reviews; medians of three alternating runs, each in its own process. Times do not include importing
scikit-learn or TensorFlow.
"""

FEW_LABELS = """\
## Few labels

The tables show accuracy on the test texts in percent, log-loss in nats, expected calibration error (15 bins), fit time in seconds and
the peak memory of the process, including data and libraries. Accuracy is the mean and standard deviation over five draws of the
labelled texts up to 2,000 labels, and of one draw above. The number after --seeds is the number of draws. Some rows share a process, whose peak memory is
an upper bound for each; a single fit needs less. Seconds of skvae were measured beside other programs,
and on IMDB those with the embedding, or with labelled texts only, alone on a faster machine. Every method chooses its settings by cross-validation on the labelled
texts. LSA, like skvae, also learns its features from unlabelled texts: the first 20,000, with n-grams that occur in three
or more of them. Rows of skvae of all sets but TREC were measured before two changes of its class head, after which it
is on average more accurate, and less sure of itself, with few labels ([architecture](architecture.md)).
"""

COMPARE = """\
## Ten sets, and what people would pick instead

Labelled texts are drawn by class; the rest of the training part, at most 20,000 texts, is the unlabelled text. LSA, self-training, fastText (its vectors) and
skvae learn from it. Every method chooses its settings by cross-validation on the labelled texts, and skvae has its default settings. The embedding is that of the package wordllama, which knows
English. Means of {n_draws}{spread}. A draw that not every method has is left out. The rank is among all methods that a set has, 1 is the most accurate.
CPU seconds of skvae are too high beside the others: when most of these fits ran, the machine was slower, and each process compiled TensorFlow's modules anew.

{behind}

With 10 labels a class, TREC is decided by few of them: 117 of its 500 test questions have the form "What is an atom ?", which 4 % of the training questions have, and a method has most of
these right or most of them wrong.
"""

SPREAD = """\
; from draw to draw, the accuracy of a method in a set has a standard deviation of {points} points with 10, 50 and 250 labels a class"""

PUBLISHED_WITH_1000 = """\
Not run here, but published: with 1,000 labelled texts, fine-tuned sentence transformers (SetFit) and static vectors (model2vec) reach 86.0 and 85.6 on IMDB, 93.8
and 89.9 on subj, and 88.0 and 87.2 on AG news (`results/README.md` of model2vec).
"""

GROWTH = """\
## Cost of more documents

Generated documents of 12 words, each fit in a process of its own. Memory is the peak resident memory beyond that of the documents and the imported libraries. A slope is the exponent of the growth with the number of
documents, fitted to the two largest sizes (all sizes in parentheses); with 1, twice as many documents cost twice as much.

![Time and memory of a fit against the number of documents](images/growth.png)

"""
WORKERS = """
Two worker processes of a `dask.distributed` cluster, one thread each, beside one process with all cores: a grid search of {fits} fits to half of {n_searched:,} documents took {two_search:.0f} instead of {one_search:.0f} s, with
{same_search}. `transform` of {n_transformed:,} documents in 20 partitions of a `dask.bag`, which hold the texts already, took {two_transform:.1f} instead of {one_transform:.1f} s; the pipeline of {pickle:.0f} MB was sent to each worker once.

On paper, 100 million documents of 12 words would take {paper_fit[0]:.0f} hours to fit by the slope of the two largest sizes, {paper_fit[1]:.0f} in proportion to the largest. In memory they would need {paper_memory[0]:,.0f} or
{paper_memory[1]:,.0f} GB; `partial_fit` needs less than one, and one pass. One process would transform them in {paper_transform[0]:.1f} or {paper_transform[1]:.1f} hours.

"""
SCALE = """\
## A corpus larger than memory

{n_documents:,} generated documents of 12 words were passed to `partial_fit`, 10,000 at a time. Resident memory was {first:.0f} MB after the
first batch and {last:.0f} MB after the last. `transform` of {n_transformed:,} documents then took {grown:.0f} MB, {latents:.0f} of them for the latents. The
variation of the lower curve comes from other work on the machine.

![Resident memory and time per document against the number of documents seen](images/scale.png)

{n_fits} successive fits of a small `TextVAEClassifier` with a text decoder raised the memory of one process from {first_fit:.0f} to {last_fit:.0f} MB.

"""

SERVING = """\
## Starting and serving

Time of a new process in seconds, medians of {n_runs} runs. The estimators have a vocabulary of 10,000 words and the "bow" encoder.

| | s | peak resident, MB | imports TensorFlow |
| --- | --- | --- | --- |
{starts}
One document at a time, in a process that has made predictions before:

| | ms, median |
| --- | --- |
{calls}"""

GENERATION = """\
## Generating text
"""

MODELS = """\
### Likelihoods and reconstructions

There are {n_train:,} SNLI sentences for training and 2,000 for testing. Likelihoods are of {n_likelihood:,} test sentences, with {n_draws} importance samples, in nats per
document. There are 1,000 samples from the prior at temperature 1. "Normalised" is `encoder="bow", posterior_scale=0.6, posterior_variance="learned", epochs=8, learning_rate=4e-3, learning_rate_schedule="constant"`, the defaults of version 0.1,
with which these rows were measured. "No guard" is the same with `posterior_scale=None, bow_weight=0,
word_dropout=0, kl_warmup=0`. "Annealing" is the same with `kl_warmup=0.33`, and "free bits" adds `free_bits=0.18`, the
minimum KL of that posterior scale. "Repeat" is `decoder="repeat"`, and "few latents" is `n_components=16,
word_dropout=0`. The language model is a GRU of the decoder's size, at its best epoch on 1,000 held-out training
sentences. Retrieval copies the training sentence that is nearest by TF-IDF.
"""

SENTENCES = """\
### Short sentences

There are {n_train:,} SNLI sentences of 3 to 14 words for training and 2,000 others for testing. skvae is `TextVAETransformer()` with default settings. Likelihoods are of 300 sentences and use {n_draws} importance samples. Their effective sample size is {iw_ess:.1f}, so IW-NLL is too high.
The beam search of this run divided log-probabilities by length ** 0.7; it divides them by the length now, which restores slightly more ([architecture](architecture.md)).
"""

CLASSES = """\
### Writing towards a class

`TextVAEClassifier(TextVAETransformer(decoder="gru"))` with default settings. "Films": sentences of IMDB reviews, which have the class of their
review, and of the training part of the Stanford Sentiment Treebank, which have their own. "Questions": half of TREC's training questions, in six classes by what
they ask for. Two judges of the class, logistic regression on TF-IDF ("n-grams") and a convolutional network, and a language model learn from other texts: 40,000 sentences of other
reviews and the treebank's longer training sentences, and the other half of TREC's. Likelihoods use {n_draws} importance samples. There are 600 samples{how_drawn}. "First word" is the share that
begins with one of the 50 words that tell the class best.
"""

REWRITING = """\
## Rewriting sentences as the other class, beside published systems

Half of the public test of Li et al. (NAACL 2018): 500 sentences of Yelp reviews with one rewriting each by a human, and what seven published systems wrote for
them. skvae is `TextVAEClassifier(TextVAETransformer(decoder="gru"))` with default settings, trained on {n_train:,} other sentences with their class
({fit:.0f} s, beside other programs); `rewrite` took {edit:.0f} s for the 500, and with `method="decode"` {decode:.0f} s. Two judges of the class and a
language model have learned from 37,900 further sentences: logistic regression on TF-IDF ("n-grams"), a convolutional network, and a GRU. All texts are scored in lower case
with spaces around marks. "First word" is the share of texts that begin with one of the 50 words that tell the class best, and G the geometric mean of the accuracy
by n-grams and BLEU with the human's. The judges are easier to please than a reader: of the rewritings below and of 50 others, about half read well. The others put a word of
praise where a negation was ("did great even know how to work the computer"), keep a second word of the other class ("great at best , far too greasy"), or leave a gap ("is a horrible !").
"""

REWRITING_FILMS = """\
### Sentences of film reviews

The same with {n_train:,} sentences ({fit:.0f} s, beside other programs), and judges that learned from others. Those of IMDB reviews have the class of their review, and those of the Stanford
Sentiment Treebank have their own. Many sentences of IMDB do not express the opinion of their review. The first row is what the judges say of the sources' own class.
The judges find {edited} % of the edited sentences in the class that was asked for, and {own} % of the sources in their own.
Of the 40 below, a good third of the edited ones read well. The others lose their sense ("it also as well as have been iv."), put a word where it does not fit ("of spending 100 minutes or beautiful 7.00")
or stay as they were; an article is not made to agree ("an terrible movie").
"""

SYSTEM_OF_2017 = """\
## The system of 2017 and what became of it

All systems train on the same 2,000 labelled reviews and are tested on 1,000 others. No other texts are used. The
first row is a reconstruction of the recipe of 2017, with its losses, dense one-hot targets and batches of ten; {trained}
"s in all" is the time of the whole fit, and of the ten epochs of 2017 in the first row. "Tokens" is the share of tokens that the decoder predicts
correctly, without padding. "Majority token" is the score of always predicting the most frequent token. In the first row, KL, MI and active units refer to the
noise distribution that its loss defines. "Peak" is the largest memory of the process, including data and libraries.
"""

ROWS_OF_OURS = {
    "preset": "`keras_vae_2017()` has no lexical model.",
    "gru": 'The decoder "gru" sees the true previous tokens, the others do not.',
}

SETS = {
    "imdb": "### IMDB reviews\n\n48,887 further reviews without labels, 5,000 test reviews; the defaults of `TextVAEClassifier`.\n",
    "sst2": "### Stanford Sentiment Treebank, sentences\n\nThe rest of the 6,920 training sentences as unlabelled text; 1,821 test sentences.\n",
    "trec": "### Questions by the kind of answer (TREC)\n\nSix classes; the rest of the 5,452 training questions as unlabelled text; 500 test questions.\n",
    "r8": "### News by topic (Reuters R8)\n\nEight classes; the rest of the 5,485 training texts as unlabelled text; 2,189 test texts.\n",
    "nsmc": (
        "### Korean film comments (NSMC)\n\nThe rest of 10,000 training comments as unlabelled text; 2,000 test comments. Here"
        ' skvae is\n`TextVAEClassifier(TextVAETransformer(tokenizer=TextTokenizer(analyzer="char"), decoder="bow"),'
        " ngram_range=(1, 4))`,\nand the other methods read n-grams of one to four characters within words.\n"
    ),
}
# By set and figure: a row of figures from elsewhere, and where they are from.
PUBLISHED = {
    ("imdb", "accuracy"): (
        "| n-gram document vectors + LR (transductive, published) | 89.5 | | 92.0 | | 92.8 |\n\n"
        "The last row is cited, not measured: Bingyu and Arefyev 2022 (https://aclanthology.org/2022.insights-1.17/), read off a plot, on all"
        " 25,000 test\nreviews, which the vectors are learned from as well.\n"
    )
}
TITLES = {
    "accuracy": "Accuracy",
    "log_loss": "Log-loss",
    "calibration_error": "Expected calibration error",
    "seconds": "Seconds of a fit",
    "peak_rss_gb": "Peak memory, GB",
}


def source(document: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    machine = document["machine"]
    commands = ", ".join(f"`{command}`" for command in document["commands"])
    return f"{commands}; Python {machine['python']}, {machine['cpus']} cores, {versions}.\n"


def foundation(document: dict[str, Any]) -> str:
    rows = ["| | fit, s | transform, s | peak resident, GB |", "| --- | --- | --- | --- |"]
    for name, label in (
        ("reference", "`TfidfVectorizer` + `TruncatedSVD(64)`"),
        ("skvae", '`TextVAETransformer(decoder="bow")`'),
    ):
        median = document["median"][name]
        cells = (median["fit_seconds"], median["transform_seconds"], median["peak_rss_gb"])
        rows.append(f"| {label} | {cells[0]:.1f} | {cells[1]:.1f} | {cells[2]:.2f} |")
    ratios, latency = document["ratios"], document["latency"]
    rows.append(f"| ratio | {ratios['fit_ratio']:.2f} | {ratios['transform_ratio']:.2f} | |")
    one = (
        f"One document: `predict_proba` {latency['predict_proba_ms']:.1f} ms,"
        f" `transform` {latency['transform_ms']:.1f} ms.\n"
    )
    return "\n".join([FOUNDATION, *rows, "", one, source(document)])


def keras_vae_2017(document: dict[str, Any]) -> str:
    rows = document["rows"]
    share = rows["baseline"]["trained_epochs"]
    trained = (
        "it was trained for one epoch."
        if share == 1
        else f"it was trained for {share:.0%} of an epoch, and its seconds are scaled up."
    )
    notes = [note + "\n" for name, note in ROWS_OF_OURS.items() if name in rows]
    introduction = SYSTEM_OF_2017.format(trained=trained)
    return "\n".join(
        [
            introduction,
            *notes,
            system_of_2017.table(system_of_2017.labelled(rows), system_of_2017.COLUMNS),
            source(document),
        ]
    )


CLASS_HEAD = """\
## Probabilities of the class head

There are 1,200 labelled texts. Test texts have the same class shares. Two classes: IMDB reviews by sentiment, shares 0.9 and 0.1; 2,500 test reviews, 8,000
without labels. Three classes: Reuters news (earn, acq, crude), shares 0.7, 0.2 and 0.1; 1,000 test texts, all of the training part without labels. Three
clusters: IMDB reviews by their k-means cluster on TF-IDF, without the tags of line breaks. The error of a mean probability is its
difference from the share of the class among the labelled texts. The tables show the largest error over the classes: its signed mean over the draws, and its mean
size in a single draw.
"""
COPIES = """\
300 reviews with random labels, each once, twice or three times; 2,000 test reviews. Since nothing can be learned, the best log-loss is
log 2 = 0.693. The last column compares the log-probabilities with those of each review once and `sample_weight` 2 or 3.
"""
RARE = """\
300 Reuters news texts of five topics, with the rest of the training part as unlabelled text; then the same with one text of a sixth topic. Log-loss over the five topics.
"""
MANY = """\
900 generated texts of 150 classes. Class frequencies follow Zipf's law.
"""
COST = """\
CPU seconds for fitting the head to a frozen autoencoder, including reading the texts.
"""


def class_head(document: dict[str, Any]) -> str:
    lines = [
        CLASS_HEAD,
        "| | method | mean error | error in a draw | log-loss | accuracy |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, (shares, _, _) in head.SETS.items():
        for method in dict.fromkeys(row["method"] for row in document["skewed"]):
            rows = [row for row in document["skewed"] if (row["set"], row["method"]) == (name, method)]
            errors = np.array([row["mean_probability"] for row in rows]) - shares
            largest = errors.mean(axis=0)[np.abs(errors.mean(axis=0)).argmax()]
            single = np.abs(errors).max(axis=1).mean()
            loss, accuracy = (mean(row[figure] for row in rows) for figure in ("log_loss", "accuracy"))
            lines.append(
                f"| {name} | {method} | {largest:+.3f} | {single:.3f} | {loss:.3f} | {100 * accuracy:.1f} |"
            )
    lines += ["", COPIES, "| copies | log-loss | largest difference |", "| --- | --- | --- |"]
    for copies in (1, 2, 3):
        loss = mean(row[f"log_loss_{copies}"] for row in document["copied"])
        difference = max(row[f"difference_to_weights_{copies}"] for row in document["copied"])
        lines.append(f"| {copies} | {loss:.3f} | {difference:.1e} |")
    lines += ["", RARE, "| five topics | with one text of a sixth |", "| --- | --- |"]
    lines.append(
        "| "
        + " | ".join(
            f"{mean(row[name] for row in document['rare']):.3f}" for name in ("five", "with one of a sixth")
        )
        + " |"
    )
    lines += ["", MANY, "| method | accuracy | CPU seconds |", "| --- | --- | --- |"]
    lines += [
        f"| {row['method']} | {100 * row['accuracy']:.1f} | {row['cpu_seconds']:.0f} |"
        for row in document["many_classes"]
    ]
    lines += ["", COST, "| texts | classes | head | TF-IDF + LR |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {row['texts']:,} | {row['classes']} | {row['head_cpu_seconds']:.1f} | {row['tfidf_lr_cpu_seconds']:.1f} |"
        for row in document["cost"]
    ]
    return "\n".join([*lines, "", source(document)])


TOPICS = """\
## Topics, LSA and latents

64 features are learned without labels, from 20,000 IMDB reviews and from the training texts of the other sets. Accuracy in percent is that of a logistic regression on these
features: of reviews, trained on 200 and on 2,000 labelled ones and tested on 3,000 others; of the questions of TREC, the news of Reuters R8 and the subjective and objective sentences of
subj, trained on all training labels. The embedding is that of the package wordllama.
"""
CLUSTERS = """\
NMI is the normalised mutual information of k-means clusters and classes, the mean of five starts, in parentheses for features scaled to length 1. Neighbours
are the percentage of the ten nearest other texts, by cosine, that have the class of a text.
"""


def topics_table(document: dict[str, Any]) -> str:
    """Accuracy of a regression on features."""
    lines = [
        "| features | IMDB, 200 labels | 2,000 labels | TREC | R8 | subj | fit of IMDB, s |",
        "| --- |" + " --- |" * 6,
    ]
    for row in document["rows"].values():
        sets = [row[name]["accuracy"] for name in ("trec", "r8", "subj")]
        shares = [row["accuracy_200"], row["accuracy_2000"], *sets]
        cells = [f"{100 * share:.1f}" for share in shares]
        lines.append(f"| {row['label']} | {' | '.join(cells)} | {row['fit_seconds']:.0f} |")
    return "\n".join(lines) + "\n"


def clusters_table(document: dict[str, Any]) -> str:
    """Clusters and neighbours in features."""
    sets = {"trec": "TREC", "r8": "R8", "subj": "subj"}
    lines = [
        "| features | "
        + " | ".join(f"NMI, {name}" for name in sets.values())
        + " | "
        + " | ".join(f"neighbours, {name}" for name in sets.values())
        + " |",
        "| --- |" + " --- |" * 6,
    ]
    for row in document["rows"].values():
        nmi = [f"{row[name]['nmi']:.2f} ({row[name]['nmi_normalised']:.2f})" for name in sets]
        near = [f"{100 * row[name]['neighbours']:.0f}" for name in sets]
        lines.append(f"| {row['label']} | {' | '.join([*nmi, *near])} |")
    return "\n".join(lines) + "\n"


def topics(document: dict[str, Any]) -> str:
    return "\n".join([TOPICS, topics_table(document), CLUSTERS, clusters_table(document), source(document)])


ANOMALIES = """\
## Texts that do not belong

Area under the ROC curve: each method learns from texts of one kind, and tells unseen texts of this kind from foreign ones (the second).
"""


def anomalies(document: dict[str, Any]) -> str:
    methods = [name for name in document["rows"][0] if name not in ("case", "foreign", "unseen")]
    lines = [ANOMALIES, "| texts | " + " | ".join(methods) + " |", "| --- |" + " --- |" * len(methods)]
    for row in document["rows"]:
        lines.append(f"| {row['case']} | " + " | ".join(f"{row[name]:.2f}" for name in methods) + " |")
    return "\n".join([*lines, "", source(document)])


NEXT_DAY = """\
## New labels and texts the next day

News of Reuters R8. On the first day, 200 texts have labels and 2,500 have none; on the second, 200 more have labels and the other training texts have none. Means over
draws. In the second table, one class has no text on the first day; recall is that of the new class.
"""


def next_day_table(document: dict[str, Any], *, new: bool) -> str:
    """Accuracy and seconds of each way to go on."""
    runs = [run for run in document["runs"] if (run["new_class"] is not None) == new]
    last = "recall" if new else "log-loss"
    lines = [f"| on the second day | accuracy | {last} | seconds |", "| --- | --- | --- | --- |"]
    for way in dict.fromkeys(run["way"] for run in runs):
        own = [run for run in runs if run["way"] == way]
        accuracy, seconds = (mean([run[name] for run in own]) for name in ("accuracy", "seconds"))
        if new:
            cell = f"{100 * mean([run['recall'] for run in own]):.0f} %"
        else:
            cell = f"{mean([run['log_loss'] for run in own]):.3f}"
        lines.append(f"| {way} | {100 * accuracy:.1f} | {cell} | {seconds:.0f} |")
    return "\n".join(lines) + "\n"


def next_day(document: dict[str, Any]) -> str:
    tables = [next_day_table(document, new=new) for new in (False, True)]
    return "\n".join([NEXT_DAY, *tables, source(document)])


def scale(document: dict[str, Any]) -> str:
    trace, transformed = document["stream"]["trace"], document["stream"]["transform"]
    fits = document["fits"]["resident_mb"]
    stream = SCALE.format(
        n_documents=trace[-1]["documents"],
        first=trace[0]["resident_mb"],
        last=trace[-1]["resident_mb"],
        n_transformed=transformed["documents"],
        grown=transformed["grown_mb"],
        latents=transformed["latents_mb"],
        n_fits=len(fits),
        first_fit=fits[0],
        last_fit=fits[-1],
    )
    return stream + (growth(document) if "growth" in document else "") + source(document)


def growth(document: dict[str, Any]) -> str:
    figures = {
        "fit_seconds": ("fit, s", 1),
        "transform_seconds": ("transform, s", 2),
        "grown_mb": ("memory, MB", 0),
    }
    sizes = sorted({run["documents"] for run in document["growth"]})
    rows = [
        "| | | " + " | ".join(f"{size:,}" for size in sizes) + " | slope |",
        "| --- | --- |" + " --- |" * (len(sizes) + 1),
    ]
    of_skvae = [run for run in document["growth"] if run["method"] == of_scale.METHODS[1]]
    for figure, (title, digits) in figures.items():
        for method in of_scale.METHODS:
            runs = [run for run in document["growth"] if run["method"] == method]
            cells = [f"{run[figure]:,.{digits}f}" for run in runs]
            slopes = f"{of_scale.slope(runs[-2:], figure):.2f} ({of_scale.slope(runs, figure):.2f})"
            rows.append(f"| {title} | {_code(method)} | " + " | ".join([*cells, slopes]) + " |")

    def on_paper(figure: str, unit: float) -> list[float]:
        """By the slope, and in proportion."""
        times_larger, largest = 1e8 / sizes[-1], of_skvae[-1][figure] / unit
        return [largest * times_larger**exponent for exponent in (of_scale.slope(of_skvae[-2:], figure), 1)]

    searched, transformed = document["workers"]["search"], document["workers"]["transform"]
    workers = WORKERS.format(
        fits=searched["fits"],
        n_searched=searched["documents"],
        one_search=searched["seconds"][0],
        two_search=searched["seconds"][1],
        same_search="the same scores"
        if searched["largest_difference"] == 0
        else f"scores at most {searched['largest_difference']:.1g} apart",
        n_transformed=transformed["documents"],
        one_transform=transformed["seconds"][0],
        two_transform=transformed["seconds"][1],
        pickle=transformed["pickle_mb"],
        paper_fit=on_paper("fit_seconds", 3600),
        paper_transform=on_paper("transform_seconds", 3600),
        paper_memory=on_paper("grown_mb", 1024),
    )
    return GROWTH + "\n".join(rows) + "\n" + workers


def _code(method: str) -> str:
    return " + ".join(f"`{part}`" for part in method.split(" + "))


def few_labels(document: dict[str, Any]) -> str:
    parts = [FEW_LABELS]
    for name, heading in SETS.items():
        runs = [run for run in document["runs"] if run["set"] == name]
        if runs:
            parts.append(heading)
            for figure in FIGURES:
                published = PUBLISHED.get((name, figure), "")
                parts.append(f"{TITLES[figure]}:\n\n{table(runs, figure)}\n{published}")
    return "\n".join([*parts, source(document)])


def _without_embedding(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the row of skvae with the embedding."""
    return [run for run in runs if run["method"] not in of_compare.OWN or run["method"] == "skvae"]


def _said_behind(row: str, runs: list[dict[str, Any]]) -> str:
    behind = [
        f"{of_compare.SETS[key][0].split(',')[0]}, {count} labels a class: {-lead:.1f} points behind {rival}"
        for count in of_compare.counts_of(runs)
        for key, (lead, rival) in of_compare.leads_of(runs, count).items()
        if lead < 0
    ]
    if not behind:
        return f"{row} is nowhere behind the best of the others."
    return f"{row} is behind the best of the others here: {'; '.join(behind)}."


def compare(document: dict[str, Any]) -> str:
    runs = of_compare.of_whole_draws(document["runs"])
    methods, sets = of_compare.methods_of(runs), of_compare.sets_of(runs)
    parts = []
    for count in of_compare.counts_of(runs):
        accuracy, ranks = of_compare.means_of(runs, "accuracy", count), of_compare.ranks_of(runs, count)
        lines = [f"| {count} labels a class | mean rank | " + " | ".join(sets.values()) + " |"]
        lines.append("| --- |" + " --- |" * (len(sets) + 1))
        for name in methods:
            cells = [f"{100 * accuracy[name, key]:.1f}" if (name, key) in accuracy else "" for key in sets]
            lines.append(f"| {name} | " + " | ".join([f"{mean(ranks[name]):.1f}", *cells]) + " |")
        parts.append("\n".join(lines) + "\n")
    parts.append("Means over the sets that every method has, with 10, 50 and 250 labels a class:\n")
    for figures_together in (("macro_f1", "log_loss", "calibration_error"), ("cpu_seconds", "peak_rss_gb")):
        parts.append(_other_figures_compared(runs, figures_together))
    said = " ".join(
        [
            _said_behind("The better row of skvae", runs),
            _said_behind("The row without the embedding", _without_embedding(runs)),
        ]
    )
    spread = ""
    if max(of_compare.draws_of(runs).values()) > 1:
        points = ", ".join(
            f"{100 * of_compare.spread_of(runs, count):.1f}" for count in of_compare.counts_of(runs)
        )
        spread = SPREAD.format(points=points)
    introduction = COMPARE.format(n_draws=draws_compared(runs), spread=spread, behind=said)
    return "\n".join([introduction, *parts, PUBLISHED_WITH_1000, source(document)])


def draws_compared(runs: list[dict[str, Any]]) -> str:
    """The number of draws that most sets have, and the sets that have another."""

    def said(n_draws: int) -> str:
        return f"{n_draws} draws" if n_draws > 1 else "one draw"

    draws = of_compare.draws_of(runs)
    usual = max(draws.values(), key=list(draws.values()).count)
    names = {key: title.split(",")[0] for key, title in of_compare.sets_of(runs).items()}
    sets_with: dict[int, list[str]] = {}
    for key, n_draws in draws.items():
        sets_with.setdefault(n_draws, []).append(names[key])
    others = [f"{', '.join(sets)}: {said(each)}" for each, sets in sets_with.items() if each != usual]
    return said(usual) + (f" ({'; '.join(others)})" if others else "")


def compared_table(runs: list[dict[str, Any]]) -> str:
    figures_of, counts = of_compare.over_sets(runs), of_compare.counts_of(runs)
    titles = [f"{count} labels a class" for count in counts] + [f"mean rank, {count}" for count in counts]
    lines = ["| | " + " | ".join(titles) + " |", "| --- |" + " --- |" * len(titles)]
    for name in figures_of["accuracy"]:
        cells = [figures_of[figure][name][count] for figure in ("accuracy", "rank") for count in counts]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _other_figures_compared(runs: list[dict[str, Any]], figures: Sequence[str]) -> str:
    counts, everywhere = of_compare.counts_of(runs), of_compare.sets_of_every_method(runs)
    columns = [(figure, count) for figure in figures for count in counts]
    titles = [f"{COMPARE_FIGURES[figure][0]}, {count}" for figure, count in columns]
    lines = ["| | " + " | ".join(titles) + " |", "| --- |" + " --- |" * len(titles)]
    for name in of_compare.methods_of(runs):
        cells = []
        for figure, count in columns:
            _, scale, digits = COMPARE_FIGURES[figure]
            of_figure = of_compare.means_of(runs, figure, count)
            values = [of_figure[name, key] for key in everywhere if (name, key) in of_figure]
            cells.append(f"{scale * mean(values):.{digits}f}" if values else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


COMPARE_FIGURES = {
    "macro_f1": ("macro F1", 100.0, 1),
    "log_loss": ("log-loss", 1.0, 3),
    "calibration_error": ("calibration error", 1.0, 3),
    "cpu_seconds": ("CPU s", 1.0, 0),
    "peak_rss_gb": ("peak GB", 1.0, 1),
}
MODEL_COLUMNS = {
    "nll": ("NLL", ".1f"),
    "iw_nll": ("IW-NLL", ".1f"),
    "kl": ("KL", ".1f"),
    "mutual_information": ("MI", ".1f"),
    "active_units": ("active units", ".0f"),
    "perplexity": ("perplexity", ".1f"),
    "f1": ("unigram F1", ".3f"),
    "bleu": ("BLEU-4", ".1f"),
    "distinct_reconstructions": ("distinct", ".0%"),
    "self_bleu": ("self-BLEU of samples", ".1f"),
    "distinct_1": ("distinct-1", ".3f"),
    "distinct_2": ("distinct-2", ".3f"),
    "seconds": ("fit, s", ".0f"),
}
REWRITING_COLUMNS = {
    "accuracy_ngrams": ("right by n-grams", ".0f"),
    "accuracy_network": ("right by network", ".0f"),
    "bleu_human": ("BLEU with the human's", ".1f"),
    "bleu_source": ("BLEU with the source", ".1f"),
    "g": ("G", ".1f"),
    "perplexity": ("perplexity", ".0f"),
    "first_word": ("first word", ".0f"),
    "repetitions": ("a word twice in a row", ".0f"),
    "distinct_2": ("distinct-2", ".2f"),
}


def _measured(rows: dict[str, dict[str, float]]) -> dict[str, tuple[str, str]]:
    """The columns of which any row has a figure."""
    return {
        name: column
        for name, column in REWRITING_COLUMNS.items()
        if any(name in row for row in rows.values())
    }


def examples_table(examples: list[dict[str, str]]) -> str:
    rows = [" | ".join(str(text).replace("|", "\\|") for text in example.values()) for example in examples]
    header = " | ".join(examples[0])
    return (
        "\n".join([f"| {header} |", f"|{' --- |' * len(examples[0])}", *(f"| {row} |" for row in rows)])
        + "\n"
    )


def rewriting(document: dict[str, Any]) -> str:
    sets = document["sets"]
    yelp = sets["yelp"]
    seconds = yelp["seconds"]
    texts = [
        REWRITING.format(
            n_train=yelp["n_train"],
            fit=seconds["fit"],
            edit=seconds["skvae"],
            decode=seconds["skvae, decoding"],
        ),
        system_of_2017.table(yelp["rows"], _measured(yelp["rows"])),
        "Every 25th sentence:\n",
        examples_table(yelp["examples"]),
        f"500 samples{how_drawn(yelp['samples'])}, beside real sentences and their reconstructions:\n",
        system_of_2017.table(yelp["samples"], _measured(yelp["samples"])),
    ]
    if "films" in sets:
        texts.append(
            REWRITING_FILMS.format(
                n_train=sets["films"]["n_train"],
                fit=sets["films"]["seconds"]["fit"],
                edited=_accuracies(sets["films"]["tests"], "skvae"),
                own=_accuracies(sets["films"]["tests"], "the source, of its own class"),
            )
        )
        for name, test in sets["films"]["tests"].items():
            texts += [
                f"{test['n_texts']} sentences of {name}:\n",
                system_of_2017.table(test["rows"], _measured(test["rows"])),
                examples_table(test["examples"]),
            ]
    return "\n".join([*texts, source(document)])


def _accuracies(tests: dict[str, Any], row: str) -> str:
    """The range of the judges' accuracies over tests."""
    found = [
        test["rows"][row][judge]
        for test in tests.values()
        for judge in ("accuracy_ngrams", "accuracy_network")
    ]
    return f"{min(found):.0f} to {max(found):.0f}"


def how_drawn(samples: dict[str, Any]) -> str:
    """Results without a row for drawn tokens are of drawn tokens."""
    return "" if any("decoding=sample" in name for name in samples) else " at temperature 0.7"


def n_draws(part: dict[str, Any]) -> int:
    """Importance samples behind the likelihoods of a part; results that do not say took 50."""
    return int(part.get("n_importance_samples", 50))


def of_classes(part: dict[str, Any]) -> Iterator[str]:
    sets = part["sets"]
    drawn = how_drawn(next(iter(sets.values()))["samples"])
    yield CLASSES.format(n_draws=n_draws(part), how_drawn=drawn)
    rows = {}
    for name, row in sets.items():
        rows[f"skvae, {name}"] = row["reconstruction"] | {"seconds": row["seconds"]}
        rows[f"retrieval, {name}"] = row["retrieval"]
    yield system_of_2017.table(rows, MODEL_COLUMNS)
    for name, row in sets.items():
        real = "; ".join(
            f"{test}: {figures['accuracy_ngrams']:.0f}% and {figures['accuracy_network']:.0f}%"
            for test, figures in row["judges_of_real"].items()
        )
        yield f"Samples, {name} ({row['n_train']:,} to learn from; judges are right about real ones by {real}):\n"
        yield system_of_2017.table(row["samples"], _measured(row["samples"]))


def generation(document: dict[str, Any]) -> str:
    parts, texts = document["parts"], [GENERATION]
    if "models" in parts:
        rows = {name: row for name, row in parts["models"].items() if isinstance(row, dict)}
        texts += [
            MODELS.format(
                n_train=parts["models"]["n_train"],
                n_draws=n_draws(parts["models"]),
                n_likelihood=parts["models"].get("n_likelihood", 1_000),
            ),
            system_of_2017.table(rows, MODEL_COLUMNS),
        ]
    if "sentences" in parts:
        rows = {name: row for name, row in parts["sentences"].items() if isinstance(row, dict)}
        sentences = parts["sentences"]
        figures = {"n_train": sentences["n_train"], "n_draws": n_draws(sentences)}
        texts.append(SENTENCES.format(**figures, iw_ess=sentences["skvae"]["iw_ess"]))
        texts.append(system_of_2017.table(rows, MODEL_COLUMNS))
    if "classes" in parts:
        texts += list(of_classes(parts["classes"]))
    if "subjects" in parts:
        subjects = parts["subjects"]
        texts.append(
            'Whole reviews, `decoder="bow"` trained on 48,887 reviews: `inverse_transform` lists 20 words for a test review, of'
            f" which {subjects['default']:.0%} occur in it (mean over 200); {subjects['wide']:.0%} with"
            " `n_components=128, posterior_scale=1.0`.\n"
        )
    if "speed" in parts:
        speed = parts["speed"]
        texts.append(
            f"Training speed: the default decoder processes {speed['ratio']:.1f} times as many tokens per second as that of 2017, with the same"
            " vocabulary of 10,000.\n"
        )
    return "\n".join([*texts, source(document)])


def serving(document: dict[str, Any]) -> str:
    starts = [
        f"| {name} | {figures['seconds']:.2f} | {figures['megabytes']:.0f} | {'yes' if figures['imports_tensorflow'] else 'no'} |\n"
        for name, figures in document["starts"].items()
    ]
    calls = [f"| `{name}` | {value:.2f} |\n" for name, value in document["one_document_ms"].items()]
    n_runs = len(document["starts"]["import skvae"]["runs"])
    tables = SERVING.format(n_runs=n_runs, starts="".join(starts), calls="".join(calls))
    return f"{tables}\n{source(document)}"


def keep(document: dict[str, Any]) -> str:
    rows = "\n".join(
        f"| {name} | {1000 * row['ours']:.2f} | {1000 * row['theirs']:.2f} | {row['theirs'] / row['ours']:.1f} |"
        for name, row in document["rows"].items()
    )
    return f"""## Benefit of the package's own code

Milliseconds with skvae's code and with the library's, in alternating runs. The [architecture](architecture.md) page gives the reason for each.

| | skvae | library | times |
| --- | --- | --- | --- |
{rows}

{source(document)}
"""


def _results(name: str) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text())
    return results


def page() -> str:
    """The whole page, as the committed results give it."""
    sections = [INTRODUCTION]
    for name, section in (
        ("compare", compare),
        ("few_labels", few_labels),
        ("class_head", class_head),
        ("keep", keep),
        ("keras_vae_2017", keras_vae_2017),
        ("generation", generation),
        ("rewriting", rewriting),
        ("topics", topics),
        ("anomalies", anomalies),
        ("next_day", next_day),
        ("foundation", foundation),
        ("scale", scale),
        ("serving", serving),
    ):
        if (HERE / "results" / f"{name}.json").exists():
            sections.append(section(_results(name)))
    return "\n".join(sections)


def figures() -> dict[str, Any]:
    """The figures that other pages quote.

    `accuracy`, `log_loss`, ...: means by text set, method and number of labels; `gain`: points of accuracy over TF-IDF and
    logistic regression; `tables`: the tables of accuracies by text set, and that of topics; `foundation`: that benchmark's medians. All are
    formatted as on the page of tables. `compared`: mean accuracies and ranks over the ten sets.
    """
    runs = _results("few_labels")["runs"]
    quoted: dict[str, Any] = {"tables": {}, "foundation": {}}
    quoted["tables"] |= {
        "topics": topics_table(_results("topics")),
        "clusters": clusters_table(_results("topics")),
        "next_day": next_day_table(_results("next_day"), new=False),
        "next_day_new": next_day_table(_results("next_day"), new=True),
    }
    of_ten_sets = of_compare.of_whole_draws(_results("compare")["runs"])
    quoted["compared"] = of_compare.over_sets(of_ten_sets) | {"draws": draws_compared(of_ten_sets)}
    quoted["tables"]["compared"] = compared_table(of_ten_sets)
    for name, median in _results("foundation")["median"].items():
        quoted["foundation"][name] = {figure: f"{value:.1f}" for figure, value in median.items()}
    for name in dict.fromkeys(run["set"] for run in runs):
        of_set = [run for run in runs if run["set"] == name]
        quoted["tables"][name] = table(of_set, "accuracy")
        for figure, (scale, digits) in FIGURES.items():
            values: dict[tuple[str, int], list[float]] = {}
            for run in of_set:
                if figure in run:
                    values.setdefault((run["method"], run["labels"]), []).append(scale * run[figure])
            means = quoted.setdefault(figure, {}).setdefault(name, {})
            for (method, labels), numbers in values.items():
                means.setdefault(method, {})[labels] = f"{mean(numbers):.{digits}f}"
        ours, others = (quoted["accuracy"][name][method] for method in ("skvae", "TF-IDF + LR"))
        gains = {labels: f"{float(ours[labels]) - float(others[labels]):.1f}" for labels in ours}
        quoted.setdefault("gain", {})[name] = gains
    return quoted


def readme_table(runs: list[dict[str, Any]], others: list[str]) -> list[str]:
    """A line for each set; the most accurate of its methods in bold."""
    accuracy = of_compare.means_of(runs, "accuracy", README_LABELS)
    best = "best of the others"
    titles = [*README_OTHERS, best, *of_compare.OWN]
    lines = [f"| accuracy, %, {README_LABELS} labels a class | " + " | ".join(titles) + " |"]
    lines.append("| --- |" + " --- |" * len(titles))
    for key, title in of_compare.sets_of(runs).items():
        of_set = {name: f"{100 * value:.1f}" for (name, of), value in accuracy.items() if of == key}
        highest = max(of_set.values(), key=float)
        of_set[best] = max((value for name, value in of_set.items() if name in others), key=float)
        cells = [of_set.get(name, "") for name in titles]
        lines.append(f"| {title} | " + " | ".join(f"**{c}**" if c == highest else c for c in cells) + " |")
    return lines


def readme() -> str:
    """README.md with a new table of accuracies."""
    runs = of_compare.of_whole_draws(_results("compare")["runs"])
    counts = of_compare.counts_of(runs)
    others = [name for name in of_compare.METHODS if name not in of_compare.OWN]
    alone = _without_embedding(runs)
    leads, of_one_row = (
        [lead for count in counts for lead, _ in of_compare.leads_of(own, count).values()]
        for own in (runs, alone)
    )
    n_level = sum(lead == 0 for lead in leads)
    lines = [
        *readme_table(runs, others),
        "",
        README_COMPARED.format(
            n_sets=len(of_compare.sets_of(runs)),
            counts=", ".join(map(str, counts[:-1])) + f" and {counts[-1]}",
            draws=draws_compared(runs),
            n_others=len(others),
            cases=len(leads),
            ahead=sum(lead > 0 for lead in leads),
            level=f", and level with it in {n_level}" if n_level else "",
            behind=sum(lead < 0 for lead in leads),
            most_behind=max(-lead for lead in leads),
            ahead_alone=sum(lead > 0 for lead in of_one_row),
            most_behind_alone=max(-lead for lead in of_one_row),
        ),
    ]
    start, end = README_MARKS
    before, rest = README.read_text().split(start)
    after = rest.split(end)[1]
    return before + start + "\n".join(lines) + "\n" + end + after


def draw() -> None:
    """The picture of the README: accuracy on IMDB as labels grow."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    accuracy = figures()["accuracy"]["imdb"]
    figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for method, style in (("skvae", "o-"), ("LSA 200 + LR", "^--"), ("TF-IDF + LR", "s--")):
        labels = sorted(accuracy[method])
        axis.plot(labels, [float(accuracy[method][each]) for each in labels], style, label=method)
    axis.set(xscale="log", xlabel="labelled film reviews (48,887 more without a label)", ylabel="accuracy, %")
    axis.set_xticks([200, 500, 2_000, 10_000, 25_000], ["200", "500", "2,000", "10,000", "25,000"])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, loc="lower right")
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    PAGE.write_text(page())
    README.write_text(readme())
    draw()
