"""The autoencoder and a class head, trained together."""

from __future__ import annotations

from typing import Any

from .._base.seeds import SeedSequence
from .autoencoder import TextVAE
from .backend import keras, ops
from .layers import DTYPE, dense_layer, functional, mean_tracker, share_of_replica
from .private import BuiltBeforeTraining


def build_class_head(
    n_features: int, units: tuple[int, ...], activation: str, n_outputs: int, seeds: SeedSequence
) -> Any:
    """The network from the encoder's output for a document to its class.

    Parameters
    ----------
    n_features : int
        Width of what it reads: the posterior mean and hidden layers.
    units : tuple of int
        Width of each hidden layer; without hidden layers it is linear.
    activation : str
        Activation of the hidden layers.
    n_outputs : int
        1 for two classes, else one for each class.
    seeds : SeedSequence
        Seeds of the initial weights.

    Returns
    -------
    class_head : keras.Model
        From features (batch, n_features) to logits (batch, n_outputs).
    """
    hidden = inputs = keras.Input((n_features,), dtype=DTYPE, name="features")
    for depth, width in enumerate(units):
        hidden = dense_layer(width, seeds, f"hidden_{depth}", activation=activation)(hidden)
    return functional(inputs, dense_layer(n_outputs, seeds, "logits")(hidden), "class_head")


@keras.saving.register_keras_serializable(package="skvae")
class TextVAEWithClassHead(BuiltBeforeTraining, keras.Model):
    """An autoencoder and a class head on its encoder, trained together.

    Parameters
    ----------
    vae : TextVAE
    class_head : keras.Model
        As returned by `build_class_head`.
    classification_weight : float
        Weight of the cross-entropy of a labelled document, relative to its ELBO.
    trains_vae : bool
        Whether both are trained, or the class head alone.

    Notes
    -----
    Inputs are those of `TextVAE`, or "features" (batch, n_features) if only the head is trained, and "offset"
    (batch, n_outputs), the logits of other models of the head.
    Targets are probabilities (batch, n_classes). Sample weights (batch,) apply to the cross-entropy.
    """

    def __init__(self, vae: TextVAE, class_head: Any, classification_weight: float, trains_vae: bool) -> None:
        super().__init__(name="text_vae_with_class_head", dtype=DTYPE)
        self.trains_vae = trains_vae
        self.vae = vae
        self.class_head = class_head
        self.classification_weight = classification_weight
        encoder = vae.encoder
        read = [encoder.outputs[0]]
        if vae.config.encoder == "bow":
            read += [encoder.get_layer(name).output for name in vae.config.hidden_layer_names]
        features = ops.concatenate(read, axis=-1) if len(read) > 1 else read[0]
        self.reader = functional(vae.entry, [*encoder.outputs, features], "reader")
        self.cross_entropy = mean_tracker("cross_entropy")
        self.accuracy = mean_tracker("accuracy")
        # The estimator parameters that the network was compiled with.
        self.recipe: Any = None
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return {
            "vae": keras.saving.serialize_keras_object(self.vae),
            "class_head": keras.saving.serialize_keras_object(self.class_head),
            "classification_weight": self.classification_weight,
            "trains_vae": self.trains_vae,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TextVAEWithClassHead:
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("vae", "class_head")}
        return cls(**config | parts)

    @property
    def trainable_weights(self) -> list[Any]:
        """The weights that are trained; without those of a frozen autoencoder."""
        # Not by `vae.trainable`, which would change the autoencoder for all its users.
        if not self.trains_vae:
            return list(self.class_head.trainable_weights)
        return list(super().trainable_weights)

    @property
    def trainable_variables(self) -> list[Any]:
        return self.trainable_weights

    @property
    def metrics(self) -> list[Any]:
        # Keras only collects those of this model.
        return [*super().metrics, *(self.vae.trackers if self.trains_vae else [])]

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Any]:
        if not self.trains_vae:
            return {"logits": self.class_head(inputs["features"]) + inputs["offset"]}
        mean, log_variance, features = self.read(inputs, training)
        parts = self.vae.parts(mean, log_variance, inputs, training)
        return parts | {"logits": self.class_head(features) + inputs["offset"]}

    def read(self, inputs: dict[str, Any], training: bool = False) -> tuple[Any, Any, Any]:
        """Posterior mean and log-variance of documents, and the features that the class head reads."""
        return self.reader(self.vae.read(inputs), training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        logits = y_pred["logits"]
        # Read from the head, since the width of the logits is unknown during tracing.
        if self.class_head.output_shape[-1] == 1:
            logits = ops.concatenate([ops.zeros_like(logits), logits], axis=-1)
        cross_entropy = -ops.sum(y * ops.log_softmax(logits), axis=-1)
        self.cross_entropy.update_state(cross_entropy, sample_weight)
        right = ops.equal(ops.argmax(logits, axis=-1), ops.argmax(y, axis=-1))
        self.accuracy.update_state(ops.cast(right, "float32"), sample_weight)
        loss = self.classification_weight * ops.mean(sample_weight * cross_entropy)
        if not self.trains_vae:
            return share_of_replica(loss)
        self.vae.track(y_pred)
        return share_of_replica(loss + ops.mean(self.vae.total(y_pred)))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        return self.get_metrics_result()
