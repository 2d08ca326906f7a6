"""Faults to plant in the package, each with a test that has to notice it.

`make mutants`, or `python -m tests.mutants [name ...]`, plants each in a copy of the package and runs its test there.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

TESTS = Path(__file__).parent
_AT_ONCE = 2
_PYTEST_PASSED, _PYTEST_FAILED = 0, 1


@dataclass(frozen=True)
class Mutant:
    """A fault: a piece of source text that occurs once, and what takes its place.

    Parameters
    ----------
    name : str
    file : str
        Within the package.
    old, new : str
        Right and wrong.
    test : str
        File in `tests` and function, as pytest names them.
    """

    name: str
    file: str
    old: str
    new: str
    test: str

    def planted_in(self, source: str) -> str:
        """The faulty source.

        Raises
        ------
        ValueError
            If `old` is not in the source, or more than once.
        """
        count = source.count(self.old)
        if count != 1:
            raise ValueError(f"{self.file} has {self.old!r} {count} times; expected it once.")
        return source.replace(self.old, self.new)


MUTANTS = [
    # Training control
    Mutant(
        "batches left to TensorFlow to tune",
        "_network/training.py",
        "dataset = dataset.with_options(options)",
        "dataset = dataset.with_options(tf.data.Options())",
        "test_training.py::test_nothing_of_the_batches_is_left_to_tensorflow_to_tune",
    ),
    Mutant(
        "best weights not restored",
        "_network/callbacks.py",
        "restore_best_weights=True",
        "restore_best_weights=False",
        "test_early_stopping.py::test_early_stopping_brings_back_the_weights_of_the_best_epoch",
    ),
    Mutant(
        "validation texts trained on",
        "_network/pretraining.py",
        "training = documents.take(np.setdiff1d(np.arange(len(documents)), how.held_out))",
        "training = documents",
        "test_early_stopping.py::test_texts_of_early_stopping_are_not_trained_on",
    ),
    Mutant(
        "validation_fraction ignored",
        "_texts/documents.py",
        "round(fraction * n_documents)",
        "round(0.1 * n_documents)",
        "test_early_stopping.py::test_early_stopping_brings_back_the_weights_of_the_best_epoch",
    ),
    Mutant(
        "measuring validation texts draws from the generator of training",
        "_network/autoencoder.py",
        "random = self.random if training else self.random_of_evaluation",
        "random = self.random",
        "test_fine_tuning.py::test_validation_texts_are_measured_each_epoch_and_not_trained_on",
    ),
    # Scores, serving, vectors handed on
    Mutant(
        "unknown tokens cost nothing",
        "_network/likelihood.py",
        "n_unknown * np.log(autoencoder.n_tokens),",
        "n_unknown * 0.0,",
        "test_likelihood.py::test_scores_by_token_do_not_fall_with_length_and_count_unknown_tokens",
    ),
    Mutant(
        "margins of several classes not centred",
        "_head/logits.py",
        "return np.asarray(logits - logits.mean(axis=1, keepdims=True))",
        "return np.asarray(logits)",
        "test_serving.py::test_margins",
    ),
    Mutant(
        "a pipeline shares its models with the classifier",
        "serving.py",
        "models=deepcopy(head.models)",
        "models=head.models",
        "test_serving.py::test_it_is_not_changed_by_further_training",
    ),
    Mutant(
        "texts without labels of a later batch ignored",
        "_estimator/fine_tuning.py",
        "        if self._was_frozen:\n            warn_if_unused(X_unlabeled)\n            read = given.labelled\n",
        "        read = given.documents\n",
        "test_partial_fit.py::test_unlabelled_texts_of_a_batch_train_the_autoencoder",
    ),
    Mutant(
        "linear models of an interrupted batch kept",
        "_estimator/fine_tuning.py",
        "self._latent_classes = deepcopy(",
        "self._latent_classes = (",
        "test_partial_fit.py::test_an_interruption_while_linear_models_learn_changes_nothing",
    ),
    Mutant(
        "guidance with the weights of the head",
        "_head/fitting.py",
        "zip(names, stacking.weights, strict=True)",
        "zip(names, stacking.weights * 0.1, strict=True)",
        "test_decoding.py::test_guidance_knows_the_class_even_if_the_head_reads_only_the_latents",
    ),
    Mutant(
        "guidance without the frequencies of the classes",
        "_head/fitting.py",
        "return NgramClasses(scaled, stacking.intercept.astype(np.float32), stacking.mean_lead)",
        "return NgramClasses(scaled, 0 * stacking.intercept.astype(np.float32), stacking.mean_lead)",
        "test_decoding.py::test_what_guidance_knows_has_the_frequencies_of_the_classes",
    ),
    Mutant(
        "an absent class is usual to guidance",
        "_head/fitting.py",
        "intercept=_columns_of_all(ngram_classes.intercept, present, n_classes) + rare",
        "intercept=_columns_of_all(ngram_classes.intercept, present, n_classes)",
        "test_partial_fit.py::test_a_first_batch_may_lack_classes",
    ),
    Mutant(
        "guidance of decoding by the lead of the head",
        "_estimator/writing.py",
        'if method == "edit" else self._ngram_classes().mean_lead',
        "if True else self._ngram_classes().mean_lead",
        "test_decoding.py::test_weights_of_rewriting_by_default",
    ),
    Mutant(
        "guidance that a stream does not train",
        "_writing/steering.py",
        "ngrams.train(inputs, labels, weights)",
        "pass",
        "test_decoding.py::test_guidance_knows_the_class_even_if_the_head_reads_only_the_latents",
    ),
    Mutant(
        "vectors handed on whatever passthrough is",
        "transformer.py",
        "if passthrough and self._autoencoder.config.dense_dim",
        "if self._autoencoder.config.dense_dim",
        "test_transformer.py::test_a_classifier_returns_latents_whatever_its_autoencoder_hands_on",
    ),
    # The loss of the autoencoder
    Mutant(
        "kl_warmup ignored",
        "_network/autoencoder.py",
        "kl_weight = linear_warmup(self.optimizer.iterations, self.warmup_steps) if training else 1.0",
        "kl_weight = 1.0",
        "test_training.py::test_what_is_minimised_is_the_weighted_sum_of_the_parts",
    ),
    Mutant(
        "beta ignored",
        "_network/autoencoder.py",
        "loss = self.config.beta * kl_weight *",
        "loss = kl_weight *",
        "test_training.py::test_what_is_minimised_is_the_weighted_sum_of_the_parts",
    ),
    Mutant(
        "bow_weight only on or off",
        "_network/autoencoder.py",
        'self.config.bow_weight * parts["nll_bow"]',
        'parts["nll_bow"]',
        "test_training.py::test_what_is_minimised_is_the_weighted_sum_of_the_parts",
    ),
    Mutant(
        "free_bits ignored",
        "_network/objectives.py",
        "ops.maximum(average, free_bits)",
        "average",
        "test_transformer.py::test_guards_against_collapse_keep_the_nats_that_they_promise",
    ),
    Mutant(
        "the text decoder is shown what comes next",
        "_network/decoders.py",
        "previous = targets[:, :-1]",
        "previous = targets[:, 1:]",
        "test_decoding.py::test_the_widest_beam_finds_the_best_text_of_all_by_its_length",
    ),
    # Dropout
    Mutant(
        "no dropout in the encoder",
        "_network/encoders.py",
        'dropout_layer(config.dropout, seeds, f"dropout_{depth}")',
        'dropout_layer(0.0, seeds, f"dropout_{depth}")',
        "test_training.py::test_units_of_the_encoder_are_hidden_at_the_rate_asked_for",
    ),
    Mutant(
        "the output of a text decoder does not read the latents",
        "_network/decoders.py",
        "self.gate(hidden) * self.of_latents(z)",
        "self.gate(hidden) * self.of_latents(0 * z)",
        "test_networks.py::test_the_output_of_a_text_decoder_reads_the_latents_itself",
    ),
    Mutant(
        "an edit is rewarded for words that make others likelier",
        "_writing/editing.py",
        "np.minimum(0.0, np.where(origins",
        "np.minimum(np.inf, np.where(origins",
        "test_editing.py::test_what_is_kept_is_as_it_was_written",
    ),
    Mutant(
        "a recurrent encoder does not hand on which token stands where",
        "_network/encoders.py",
        "ops.cos(frequency * phases), ops.sin(frequency * phases)",
        "ops.cos(0 * phases), ops.sin(0 * phases)",
        "test_networks.py::test_a_recurrent_encoder_of_a_writer_hands_on_which_token_stands_where",
    ),
    Mutant(
        "the noise of the posterior is learned though it is fixed",
        "_network/encoders.py",
        "noise.trainable = variance is None",
        "noise.trainable = True",
        "test_transformer.py::test_means_and_fixed_noise_have_the_variance_of_the_prior",
    ),
    Mutant(
        "a text is recombined with any other, whatever token they have",
        "_texts/recombination.py",
        "there = order[first[token] + (random.random(n_draws) * n_same).astype(np.int64)]",
        "there = random.permutation(order)[first[token] + (random.random(n_draws) * n_same).astype(np.int64)]",
        "unit/test_recombination.py::test_a_recombined_text_goes_over_to_another_one_at_a_shared_token",
    ),
    Mutant(
        "latents are normalised over recombined texts as well",
        "_network/pretraining.py",
        "autoencoder.normalise_over(training, keep_history=how.goes_on)",
        "autoencoder.normalise_over(read, keep_history=how.goes_on)",
        "test_recombination.py::test_recombined_texts_are_read_in_each_epoch",
    ),
    Mutant(
        "no dropout in the text decoder",
        "_network/decoders.py",
        "self._logits(self.dropout(hidden, training=training), ops.expand_dims(z, 1))",
        "self._logits(hidden, ops.expand_dims(z, 1))",
        "test_training.py::test_words_and_units_of_the_text_decoder_are_hidden_at_the_rates_asked_for",
    ),
    Mutant(
        "no dropout in the bag-of-words decoder",
        "_network/decoders.py",
        "ops.matmul(self.dropout(z, training=training), self.kernel)",
        "ops.matmul(z, self.kernel)",
        "test_training.py::test_latents_are_hidden_from_the_bag_of_words_at_the_rate_asked_for",
    ),
    Mutant(
        "no word dropout",
        "_network/decoders.py",
        "if training and self.word_dropout > 0:",
        "if training and self.word_dropout > 1:",
        "test_training.py::test_words_and_units_of_the_text_decoder_are_hidden_at_the_rates_asked_for",
    ),
    Mutant(
        "word_dropout only on or off",
        "_network/decoders.py",
        "seed=self.random) < self.word_dropout",
        "seed=self.random) < 0.3",
        "test_training.py::test_words_and_units_of_the_text_decoder_are_hidden_at_the_rates_asked_for",
    ),
    # Fine-tuning
    Mutant(
        "sample weights ignored in fine-tuning",
        "_network/with_class_head.py",
        "ops.mean(sample_weight * cross_entropy)",
        "ops.mean(cross_entropy)",
        "test_fine_tuning.py::test_texts_count_by_their_weight_where_labels_contradict",
    ),
    Mutant(
        "classification_weight ignored",
        "_network/with_class_head.py",
        "loss = self.classification_weight * ops.mean(",
        "loss = ops.mean(",
        "test_fine_tuning.py::test_a_heavier_classification_takes_longer_steps",
    ),
    Mutant(
        "classification_weight ignored beside the ELBO",
        "_network/with_class_head.py",
        "share_of_replica(loss + ops.mean(self.vae.total(y_pred)))",
        "share_of_replica(loss / self.classification_weight + ops.mean(self.vae.total(y_pred)))",
        "test_fine_tuning.py::test_each_weight_counts_in_fine_tuning",
    ),
    Mutant(
        "the ELBO left out of fine-tuning",
        "_network/with_class_head.py",
        "share_of_replica(loss + ops.mean(self.vae.total(y_pred)))",
        "share_of_replica(loss + 0.0 * ops.mean(self.vae.total(y_pred)))",
        "test_fine_tuning.py::test_each_weight_counts_in_fine_tuning",
    ),
    Mutant(
        "class_weight ignored",
        "_head/labels.py",
        "        weights = weights * _weights_of_classes(class_weight, labels, weights, classes)",
        "        pass",
        "test_classifier.py::test_weights",
    ),
    Mutant(
        "sample weights ignored by partial_fit of the lexical model",
        "_head/linear.py",
        "residual_of(self.model.logits(batch) + offset[rows], labels[rows], weights[rows])",
        "residual_of(self.model.logits(batch) + offset[rows], labels[rows], np.ones(len(rows)))",
        "test_partial_fit.py::test_the_lexical_term_goes_on_by_the_weights_of_a_batch",
    ),
    # The sum of the terms, and what explains it
    Mutant(
        "equal stacking weights",
        "_head/stacking.py",
        "return Stacking(scales, base + shift - scales @ centre, mean_lead)",
        "return Stacking(np.full(len(scales), 1 / len(scales)), base + shift - centre.mean(axis=0))",
        "test_classifier.py::test_a_term_that_knows_nothing_counts_for_little",
    ),
    Mutant(
        "hidden layers of the head pass on slopes of 1",
        "_head/head.py",
        "slopes = (slopes * of_activation) @ layer.kernel.T",
        "slopes = slopes @ layer.kernel.T",
        "test_explanation.py::test_all_ngrams_together_leave_no_rest",
    ),
    Mutant(
        "the encoder's activations pass on slopes at the text",
        "_network/attribution.py",
        "return np.asarray((activation(high) - activation(low)) / (high - low))",
        "return np.asarray((activation(values + 1e-3) - activation(values - 1e-3)) / 2e-3)",
        "test_explanation.py::test_all_ngrams_together_leave_no_rest",
    ),
    Mutant(
        "contributions of n-grams halved",
        "_head/explanation.py",
        "added = features.data *",
        "added = 0.5 * features.data *",
        "test_explanation.py::test_all_ngrams_together_leave_no_rest",
    ),
    Mutant(
        "integrated gradients at half of the embeddings",
        "_network/autoencoder.py",
        "tf.reduce_sum(of_tokens * tokens, axis=1).numpy()",
        "tf.reduce_sum(of_tokens * tokens, axis=1).numpy() / 2",
        "test_explanation.py::test_tokens_of_a_recurrent_encoder_explain_most_of_what_it_adds",
    ),
    Mutant(
        "an n-gram that has been listed is listed again within a longer one",
        "_head/explanation.py",
        "        left[members] = 0\n",
        "",
        "test_explanation.py::test_an_ngram_stands_for_those_within_it_or_for_itself",
    ),
    Mutant(
        "each occurrence of a word has its whole contribution",
        "_head/explanation.py",
        "shares.get(each, 0.0) / times[each]",
        "shares.get(each, 0.0)",
        "test_explanation.py::test_the_words_of_a_text_share_the_contributions_of_its_ngrams",
    ),
    Mutant(
        "all that is written while TensorFlow loads is dropped",
        "_network/backend.py",
        "(line for line in instead if not _CHATTER.match(line))",
        "()",
        "test_faults.py::test_only_lines_of_tensorflow_are_left_out",
    ),
    Mutant(
        "epochs show the loss in place of the ELBO",
        "_network/callbacks.py",
        "ELBO {-nll - figures['kl']:.2f}",
        "ELBO {figures['loss']:.2f}",
        "test_callbacks.py::test_each_step_of_a_fit_is_told",
    ),
    Mutant(
        "the ELBO is an average over independent latents",
        "metrics.py",
        "for each in (latents, 2 * mean - latents)",
        "for each in (latents, latents)",
        "test_diagnostics.py::test_the_score_averages_over_opposite_latents",
    ),
    Mutant(
        "latents are named by words of all documents",
        "_network/fitted.py",
        "rarity = np.where(is_content, rarity, 0) if is_content.any() else rarity",
        "rarity = rarity + 0.01",
        "test_plotting.py::test_latents_are_named_by_words_that_tell_them_apart",
    ),
    Mutant(
        "texts of unknown words are copies of one another",
        "_head/documents.py",
        'b"" if embeddings is None else embeddings[row].tobytes()',
        'b""',
        "test_embedder.py::test_texts_of_unknown_words_are_told_apart_by_their_embeddings",
    ),
    Mutant(
        "rounding of a constant is a spread",
        "_base/statistics.py",
        "spread[spread <= _ROUNDING * np.abs(centre)] = 0",
        "centre = values.mean(axis=0)\n    spread = values.std(axis=0)",
        "test_embedder.py::test_a_constant_column_of_an_embedding_is_no_feature",
    ),
    Mutant(
        "vectors are learned from texts that are held out",
        "_network/fitted.py",
        "[] if held_out is None else held_out",
        "[]",
        "test_early_stopping.py::test_vectors_of_ngrams_are_not_learned_from_texts_of_early_stopping",
    ),
    Mutant(
        "a bag of words lists marks",
        "_network/fitted.py",
        "rarity = lettered * -np.log(",
        "rarity = -np.log(",
        "test_transformer.py::test_a_bag_of_words_decoder_lists_no_marks",
    ),
    Mutant(
        "stacking weights are drawn to equal shares",
        "_head/stacking.py",
        "drawn_to = share * [scales[0] for scales, _, _ in alone]",
        "drawn_to = np.full(len(share), 1 / len(share))",
        "unit/test_stacking.py::test_with_few_documents_the_sum_is_as_good_as_its_best_member",
    ),
    Mutant(
        "a few documents make a model sure of itself",
        "_head/stacking.py",
        "labels, weights, np.ones(1))",
        "labels, weights, np.full(1, 10.0))",
        "unit/test_stacking.py::test_with_few_documents_models_that_know_little_do_not_become_sure",
    ),
    Mutant(
        "many documents leave the average to the likeliest model",
        "_head/stacking.py",
        "tempered = min(1.0, _MOST_DOCUMENTS_FOR_LIKELIHOODS / weights.sum())",
        "tempered = 1.0",
        "unit/test_stacking.py::test_the_average_that_weights_are_drawn_to_is_not_left_to_one_of_equals",
    ),
    Mutant(
        "the variance along an axis does not count",
        "_head/fitting.py",
        'by_variance=name != "latent"',
        "by_variance=False",
        "unit/test_stacking.py::test_with_few_labels_directions_count_by_the_variance_of_all_documents",
    ),
    Mutant(
        "the variance along an axis always counts",
        "_head/linear.py",
        "kinds = [None] if scales is None else [None, scales]",
        "kinds = [scales]",
        "unit/test_stacking.py::test_many_labels_overrule_the_variance",
    ),
    Mutant(
        "a class of few documents has probabilities of its own",
        "_head/linear.py",
        "(found + 1) / (expected + 1)",
        "(found + 1) / (found + 1).sum(axis=1, keepdims=True)",
        "unit/test_stacking.py::test_a_class_of_one_document_hardly_changes_the_scales",
    ),
    Mutant(
        "scales of a fold know the documents left out",
        "_head/linear.py",
        "scales(features[train], data.labels[train], data.weights[train])",
        "scales(features, data.labels, data.weights)",
        "unit/test_stacking.py::test_scales_of_a_fold_know_nothing_of_the_documents_left_out",
    ),
    # Vectors of n-grams
    Mutant(
        "a document keeps the n-gram that it is to predict",
        "_texts/ngram_kernels.py",
        "SCALE * (product - own[place]) * inverse",
        "SCALE * product * inverse",
        "unit/test_ngram_vectors.py::test_a_step_is_the_gradient_of_the_loss",
    ),
    Mutant(
        "a document's own n-grams are negatives",
        "_texts/ngram_kernels.py",
        "(in_block - own[place]) / others",
        "in_block / others",
        "unit/test_ngram_vectors.py::test_a_step_is_the_gradient_of_the_loss",
    ),
    Mutant(
        "threads step on each other's documents",
        "_texts/ngram_training.py",
        "cuts = np.linspace(0, n_items, self.n_threads + 1).astype(int)",
        "cuts = np.linspace(0, n_items - 1, self.n_threads + 1).astype(int)",
        "unit/test_ngram_vectors.py::test_the_number_of_threads_does_not_matter",
    ),
    Mutant(
        "an unknown document is far from all others",
        "_texts/ngram_vectors.py",
        "vectors[~unit.any(axis=1)] = 0",
        "pass",
        "unit/test_ngram_vectors.py::test_a_document_without_known_ngrams_is_the_mean",
    ),
    Mutant(
        "going on changes the vectors of a failed fit",
        "_network/fitted.py",
        "self.moments, self.ngram_vectors, self.aggregate = moments, vectors, aggregate",
        "self.moments, self.aggregate = moments, aggregate",
        "test_partial_fit.py::test_a_failing_batch_leaves_the_vectors",
    ),
    # Embedders
    Mutant(
        "embeddings are not centred",
        "_texts/embedding.py",
        "(embeddings - self.centre) / np.float32(self.spread)",
        "embeddings / np.float32(self.spread)",
        "test_embedder.py::test_a_margin_names_the_embedding",
    ),
    Mutant(
        "documents get the embeddings of the first ones",
        "_texts/documents.py",
        "None if self.embeddings is None else self.embeddings[rows]",
        "None if self.embeddings is None else self.embeddings[: len(rows)]",
        "unit/test_corpus.py::test_a_batch_has_vectors_and_embeddings_side_by_side",
    ),
    Mutant(
        "the common direction of word vectors stays",
        "word_vectors.py",
        "means - (means @ self.common_)[:, None] * self.common_",
        "means",
        "test_embedder.py::test_word_vectors_are_weighted_means_without_the_common_direction",
    ),
    # Editing, the fitted prior, the learning rate
    Mutant(
        "edits have no price",
        "_writing/editing.py",
        "- self.content_weight * np.array(edits)",
        "- 0 * self.content_weight * np.array(edits)",
        "test_editing.py::test_what_is_kept_is_as_it_was_written",
    ),
    Mutant(
        "edits do not heed the class",
        "_writing/editing.py",
        "self.strength * of_class + np.array(fluency)",
        "np.array(fluency)",
        "test_editing.py::test_an_edited_text_has_the_class_and_most_of_the_words",
    ),
    Mutant(
        "edited texts are written from known words",
        "_writing/writer.py",
        "kept = (origins >= 0) & (exact.lengths == corpus.lengths)[rows]",
        "kept = np.zeros(len(flat), dtype=bool)",
        "test_editing.py::test_what_is_kept_is_as_it_was_written",
    ),
    Mutant(
        "neutral sentences are edited",
        "_writing/editing.py",
        "np.maximum(alone, np.minimum(against, whole))",
        "alone",
        "test_editing.py::test_neutral_sentences_of_a_document_stay",
    ),
    Mutant(
        "documents of the class are edited",
        "_writing/editing.py",
        "rank[self.strength * -whole[order] <= self.content_weight] = -1",
        "pass",
        "test_editing.py::test_neutral_sentences_of_a_document_stay",
    ),
    Mutant(
        "recombined texts end twice",
        "_network/pretraining.py",
        "replace(autoencoder.prepare(texts), texts=texts)",
        "autoencoder.prepare(texts)",
        "test_recombination.py::test_recombined_texts_end_as_texts_do",
    ),
    Mutant(
        "the decay overwrites what callbacks set",
        "_network/callbacks.py",
        "float(rate.numpy()) * self._share(self.step) / self._share(self.step - 1)",
        "self.full * self._share(self.step)",
        "test_optimizer.py::test_callbacks_change_a_learning_rate_that_decays",
    ),
    Mutant(
        "the fitted prior has no correlations",
        "_network/fitted.py",
        "mean + latents @ np.linalg.cholesky(covariance).T",
        "mean + latents * np.sqrt(np.diag(covariance))",
        "test_decoding.py::test_samples_are_drawn_where_the_training_texts_lie",
    ),
    Mutant(
        "a decayed learning rate stays",
        "_network/callbacks.py",
        "        self.model.optimizer.learning_rate.assign(self.full)\n",
        "        pass\n",
        "test_optimizer.py::test_the_learning_rate_falls_along_half_a_cosine",
    ),
    Mutant(
        "latents are not asked for the embedding",
        "_network/autoencoder.py",
        'loss = loss + parts["nll_embedding"]',
        "loss = loss + 0.0",
        "test_embedder.py::test_latents_tell_what_the_embedding_tells",
    ),
    # Decoding
    Mutant(
        "a beam's log-probability is not divided by its length",
        "_writing/decoding.py",
        "        total = (scores + of_class) / lengths\n",
        "        total = scores + of_class\n",
        "test_decoding.py::test_the_widest_beam_finds_the_best_text_of_all_by_its_length",
    ),
    Mutant(
        "a beam keeps texts by the sum of their log-probabilities",
        "_writing/decoding.py",
        "((grown + of_classes) / new_lengths[:, None])",
        "(grown + of_classes)",
        "unit/test_writing.py::test_a_beam_keeps_long_texts_by_their_mean",
    ),
    Mutant(
        "guidance of rewriting is the same however clear labelled texts are",
        "_estimator/writing.py",
        "guidance / np.sqrt(lead)",
        "guidance / np.sqrt(_USUAL_LEAD)",
        "test_decoding.py::test_the_less_clear_labelled_texts_are_the_stronger_is_the_guidance_of_rewriting",
    ),
    Mutant(
        "the class a part of each step's distribution in a beam search",
        "_writing/decoding.py",
        "        grown = scores[:, None] + log_probability\n",
        "        grown = scores[:, None] + log_softmax(log_probability + of_classes, axis=1)\n"
        "        of_classes = np.zeros_like(grown)\n",
        "test_decoding.py::test_the_widest_beam_with_a_class_finds_the_best_text_of_all_with_the_probability_of_its_class",
    ),
    Mutant(
        "temperature ignored",
        "_writing/decoding.py",
        " / options.temperature",
        "",
        "test_decoding.py::test_draws_from_the_likeliest_tokens_only_are_greedy",
    ),
    Mutant(
        "no intercept in the stacking",
        "_head/stacking.py",
        "return Stacking(scales, base + shift - scales @ centre, mean_lead)",
        "return Stacking(scales, 0 * shift)",
        "test_class_head.py::test_the_mean_probability_is_the_share_of_the_class",
    ),
    Mutant(
        "copies of a document in different folds",
        "_head/documents.py",
        "documents = np.array([number[content] for content in contents], dtype=np.int64)",
        "documents = np.arange(len(contents))",
        "test_class_head.py::test_copies_count_as_weights_do",
    ),
    Mutant(
        "one rare class switches cross-validation off",
        "_head/documents.py",
        "folds[kept] = -1",
        "folds[slice(None) if kept.any() else kept] = -1",
        "test_class_head.py::test_a_class_with_one_text_changes_little_for_the_others",
    ),
    Mutant(
        "left-out rows keep the length of n-grams that no model knows",
        "_head/linear.py",
        "_known_lengths(features, train, test) if sp.issparse(features) else 1.0",
        "1.0",
        "test_class_head.py::test_out_of_fold_logits_are_as_large_as_those_of_new_documents",
    ),
    Mutant(
        "class weights count texts of weight zero",
        "_head/labels.py",
        "totals = np.bincount(index, weights=weights)",
        "totals = np.bincount(index).astype(float)",
        "test_class_head.py::test_balanced_class_weights_do_not_count_texts_of_weight_zero",
    ),
    Mutant(
        "fine-tuning moves the frequencies of the classes",
        "_estimator/fine_tuning.py",
        "self._shift_intercept(frequencies.shift(fitted.head, autoencoder))",
        "pass",
        "test_class_head.py::test_fine_tuning_keeps_the_share_of_a_rare_class",
    ),
    Mutant(
        "a warm start goes on from fine-tuned weights",
        "_estimator/composition.py",
        "(pretrained or fitted._autoencoder).snapshot()",
        "fitted._autoencoder.snapshot()",
        "test_class_head.py::test_refits_from_a_warm_start_stay_where_they_were",
    ),
    Mutant(
        "score counts texts without a label",
        "classifier.py",
        "accuracy_score(labels, self.predict(X)[labelled], sample_weight=weights)",
        "accuracy_score(np.asarray(y), self.predict(X))",
        "test_class_head.py::test_score_leaves_out_what_has_no_label",
    ),
    Mutant(
        "early stopping compares within the warm-up",
        "_network/callbacks.py",
        "start_from_epoch=first_compared",
        "start_from_epoch=0",
        "test_early_stopping.py::test_early_stopping_compares_from_the_end_of_the_warmup_on",
    ),
    Mutant(
        "a pass of partial_fit counts its documents twice",
        "_estimator/fine_tuning.py",
        "                autoencoder.moments = moments\n",
        "",
        "test_partial_fit.py::test_a_pass_counts_each_document_once",
    ),
    Mutant(
        "epochs=0 fine-tunes in later passes",
        "_estimator/fine_tuning.py",
        "return self._was_frozen or not self.epochs",
        "return self._was_frozen",
        "test_partial_fit.py::test_no_epochs_of_fine_tuning_is_none_in_partial_fit_either",
    ),
    Mutant(
        "a forked child is let in",
        "_base/forking.py",
        "    if _forked:",
        "    if False:",
        "test_faults.py::test_a_forked_child_reads_bags_of_words_and_is_refused_the_rest",
    ),
    Mutant(
        "a child forked from somebody else's TensorFlow is let in",
        "_base/forking.py",
        "return _used or bool(",
        "return _used or 0 * bool(",
        "test_faults.py::test_a_child_is_refused_where_tensorflow_ran_for_somebody_else",
    ),
    Mutant(
        "accuracies get better downwards",
        "_network/layers.py",
        '"up" if name.endswith("accuracy") else "down"',
        '"down"',
        "test_early_stopping.py::test_keras_callbacks_know_which_way_the_figures_of_classes_get_better",
    ),
    Mutant(
        "a pass keeps the optimizer of the first",
        "_estimator/fine_tuning.py",
        "or (model.compiled and model.recipe != self._recipe())",
        "",
        "test_partial_fit.py::test_a_pass_goes_by_the_parameters_of_now",
    ),
    Mutant(
        "warnings point at scikit-learn's wrapper",
        "_base/stacklevel.py",
        'in ("skvae", "sklearn")',
        'in ("skvae",)',
        "test_composition.py::test_warnings_point_at_the_line_of_the_user",
    ),
    Mutant(
        "the first documents stand for all",
        "_network/likelihood.py",
        "    some = spread_rows(len(documents), _DOCUMENTS_TO_JUDGE_BY)",
        "    some = np.arange(min(len(documents), _DOCUMENTS_TO_JUDGE_BY))",
        "test_diagnostics.py::test_mutual_information_is_of_documents_from_all_over",
    ),
]


def package() -> Path:
    """The folder of the package that the tests run on."""
    specification = importlib.util.find_spec("skvae")
    assert specification is not None
    assert specification.origin is not None
    return Path(specification.origin).parent


def _run(mutant: Mutant | None, tests: Sequence[str]) -> tuple[int, str]:
    """pytest's exit status and output for tests of a copy, with or without a fault."""
    with TemporaryDirectory(prefix="mutant-") as name:
        copy = Path(name)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package(), copy / "skvae", ignore=ignored)
        shutil.copytree(TESTS, copy / "tests", ignore=ignored)
        shutil.copy(TESTS.parent / "pyproject.toml", copy)
        if mutant is not None:
            file = copy / "skvae" / mutant.file
            file.write_text(mutant.planted_in(file.read_text()))
        # `-m pytest` puts the copy first on the path, before a package that is installed.
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--tb=line", *(f"tests/{test}" for test in tests)],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy), "COLUMNS": "250"},
            capture_output=True,
            text=True,
            check=False,
        )
    return ended.returncode, ended.stdout + ended.stderr


def _verdict(mutant: Mutant) -> tuple[bool, str]:
    """Whether the fault was noticed, and a line that says so."""
    try:
        status, output = _run(mutant, [mutant.test])
    except ValueError as error:
        return False, f"NOT PLANTED  {mutant.name}: {error}"
    # An error in a fixture is listed as "ERROR" and says nothing about the test.
    failures = [line.partition(" - ")[2] for line in output.splitlines() if line.startswith("FAILED ")]
    if status == _PYTEST_FAILED and failures:
        return True, f"noticed      {mutant.name}: {failures[0]}"
    if status == _PYTEST_PASSED:
        return False, f"SURVIVED     {mutant.name}: {mutant.test} passes"
    return False, f"NOT RUN      {mutant.name}: {mutant.test}\n{output}"


def main(names: Sequence[str]) -> int:
    """Plant the faults of these names, or all, one line each; 1 if any was not noticed."""
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        print(f"no mutant is called {', '.join(sorted(unknown))}; see tests/mutants.py")
        return 1
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    # A test that fails anyway would notice everything.
    status, output = _run(None, sorted({mutant.test for mutant in chosen}))
    if status != _PYTEST_PASSED:
        print(f"these tests have to pass without a fault:\n{output}")
        return 1
    missed = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for noticed, line in pool.map(_verdict, chosen):
            print(line, flush=True)
            missed += not noticed
    print(f"{len(chosen) - missed} of {len(chosen)} faults were noticed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
