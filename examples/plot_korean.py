"""
A language with rich endings: Korean
====================================

Korean glues its particles and endings to the word, so that a word comes in many forms: 영화는, 영화가, 영화를 are all "film".
``analyzer="char"`` reads syllables instead, for which nothing needs to be known of the language; the same goes for Chinese
and Japanese, which put no spaces between words.

The comments are generated from a small list, so that the example needs no download; what real ones give is on the page
of benchmarks (NSMC).
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator

from skvae import TextTokenizer, TextVAEClassifier, TextVAETransformer
from skvae.plotting import LatentSpaceDisplay

# Noun, and the particles that follow it: topic, subject, object.
nouns = [
    ("영화", "는가를"),
    ("스토리", "는가를"),
    ("배우", "는가를"),
    ("연출", "은이을"),
    ("음악", "은이을"),
    ("결말", "은이을"),
]
openings = ["솔직히 ", "정말 ", "이 ", "그냥 ", "역시 ", "오랜만에 본 ", ""]
# Stems of opinions: those that begin alike take the same endings.
bad = ["지루했", "최악이었", "엉망이었", "재미없었", "실망스러웠", "시간 낭비였", "돈이 아까웠", "졸렸"]
good = [
    "훌륭했",
    "최고였",
    "감동적이었",
    "재미있었",
    "사랑스러웠",
    "시간 가는 줄 몰랐",
    "또 보고 싶었",
    "완벽했",
]
endings = ["다", "어요", "습니다", "네요", "음", "지만 그래도", "고", "는데"]


def make_comments(n_samples, random_state):
    random = np.random.RandomState(random_state)
    texts, labels = [], random.permutation(np.arange(n_samples) % 2)
    for label in labels:
        noun, particles = nouns[random.randint(len(nouns))]
        opinions = good if label else bad
        first, second = (
            opinions[random.randint(len(opinions))] + endings[random.randint(len(endings))] for _ in range(2)
        )
        particle = particles[random.randint(3)]
        texts.append(f"{openings[random.randint(len(openings))]}{noun}{particle} {first} {second}")
    return np.array(texts, dtype=object), labels


texts, labels = make_comments(4_000, random_state=0)
print("\n".join(texts[:4]))

# %%
# Two autoencoders, one of words and one of syllables, each trained once on 3,000 comments without labels; and how many labels
# each needs. Among so few different words, both do well with little; the syllables need no spaces.

pool, test = slice(0, 3_000), slice(3_000, None)
sizes = [10, 20, 40, 80, 160]
names = np.array(["bad", "good"])
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
for analyzer, ngram_range in (("word", (1, 2)), ("char", (1, 4))):
    vae = TextVAETransformer(
        n_components=16, tokenizer=TextTokenizer(analyzer), decoder="bow", max_df=1.0, random_state=0
    ).fit(texts[pool])
    classifier = TextVAEClassifier(FrozenEstimator(vae), ngram_range=ngram_range, random_state=0)
    accuracies = []
    for size in sizes:
        scores = []
        for draw in range(3):
            chosen = np.random.RandomState(draw).permutation(3_000)[:size]
            classifier.fit(texts[chosen], names[labels[chosen]])
            scores.append(classifier.score(texts[test], names[labels[test]]))
        accuracies.append(np.mean(scores))
    axes[0].plot(sizes, accuracies, marker="o", label=f'analyzer="{analyzer}"')
axes[0].set(xscale="log", xlabel="labelled comments", ylabel="accuracy on 1,000 other comments")
axes[0].set_xticks(sizes, labels=sizes)
axes[0].minorticks_off()
axes[0].legend()
LatentSpaceDisplay.from_estimator(vae, texts[test], names[labels[test]], ax=axes[1])
axes[1].set_title("Latents of syllables, seen without labels")
plt.show()
