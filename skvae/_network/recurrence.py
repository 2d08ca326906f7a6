"""Keras' LSTM with a hand-written gradient: the same function of the same weights, faster with many units.

Keras differentiates its loop over the steps. The loop multiplies the inputs of each step by their kernel, and its
gradient adds the outer product of each step to the gradient of the kernels. These are small products that mostly move
weights through memory. Here, the inputs of all steps are multiplied before the loop, and the gradients of the kernels
are one product after it. Fewer values are kept for the backward pass.
"""

from __future__ import annotations

from typing import Any

from .backend import keras, layers, tf
from .objectives import traced_once

_SEQUENCE = tf.TensorSpec((None, None, None), tf.float32)
_MATRIX = tf.TensorSpec((None, None), tf.float32)
_MASK = tf.TensorSpec((None, None, 1), tf.bool)


def _stacked(arrays: list[tf.TensorArray]) -> list[tf.Tensor]:
    return [array.stack() for array in arrays]


def _arrays(length: tf.Tensor, number: int) -> list[tf.TensorArray]:
    return [tf.TensorArray(tf.float32, length, element_shape=(None, None)) for _ in range(number)]


@traced_once(_SEQUENCE, _MATRIX, _MATRIX, _MATRIX, _MASK)
def lstm(projected: Any, kernel: Any, hidden: Any, cell: Any, mask: Any) -> tuple[Any, Any]:
    """Hidden states of an LSTM, and its last cell state.

    Parameters
    ----------
    projected : tensor of shape (time, batch, 4 * units), dtype float32
        Inputs times their kernel, plus the bias; gates in Keras' order.
    kernel : tensor of shape (units, 4 * units), dtype float32
        Kernel of the hidden states.
    hidden, cell : tensors of shape (batch, units), dtype float32
        Initial states.
    mask : tensor of shape (time, batch, 1), dtype bool
        Steps that are False leave the states unchanged.

    Returns
    -------
    hidden : tensor of shape (time, batch, units)
    cell : tensor of shape (batch, units)

    References
    ----------
    J. Appleyard, T. Kocisky and P. Blunsom, "Optimizing Performance of Recurrent Neural Networks on
    GPUs", 2016. https://arxiv.org/abs/1604.01946
    """

    @tf.custom_gradient
    def run(projected: Any, kernel: Any, first_hidden: Any, first_cell: Any) -> Any:
        length = tf.shape(projected)[0]

        def forward(step: Any, hidden: Any, cell: Any, written: list[Any]) -> tuple[Any, ...]:
            before = projected[step] + tf.matmul(hidden, kernel)
            input_gate, forget, candidate, output = tf.split(before, 4, axis=1)
            input_gate, forget, output = map(tf.sigmoid, (input_gate, forget, output))
            candidate = tf.tanh(candidate)
            new_cell = forget * cell + input_gate * candidate
            cell = tf.where(mask[step], new_cell, cell)
            hidden = tf.where(mask[step], output * tf.tanh(new_cell), hidden)
            gates = tf.concat([input_gate, forget, candidate, output], axis=1)
            written = [
                array.write(step, each) for array, each in zip(written, (hidden, cell, gates), strict=True)
            ]
            return step + 1, hidden, cell, written

        _, _, last_cell, written = tf.while_loop(
            lambda step, *_: step < length, forward, (0, first_hidden, first_cell, _arrays(length, 3))
        )
        hiddens, cells, all_gates = _stacked(written)

        def gradient(of_hiddens: Any, of_last_cell: Any) -> tuple[Any, ...]:
            transposed = tf.transpose(kernel)
            before_hiddens = tf.concat([first_hidden[None], hiddens[:-1]], axis=0)
            before_cells = tf.concat([first_cell[None], cells[:-1]], axis=0)

            def backward(step: Any, of_hidden: Any, of_cell: Any, written: list[Any]) -> tuple[Any, ...]:
                gates = tf.split(all_gates[step], 4, axis=1)
                of_hidden += of_hiddens[step]
                of_gates, of_before = _of_gates(gates, before_cells[step], cells[step], of_hidden, of_cell)
                of_gates = tf.where(mask[step], of_gates, 0.0)
                of_cell = tf.where(mask[step], of_before, of_cell)
                passed_on = tf.where(mask[step], 0.0, of_hidden)
                of_hidden = tf.matmul(of_gates, transposed) + passed_on
                return step - 1, of_hidden, of_cell, [written[0].write(step, of_gates)]

            _, of_hidden, of_cell, written = tf.while_loop(
                lambda step, *_: step >= 0,
                backward,
                (length - 1, tf.zeros_like(first_hidden), of_last_cell, _arrays(length, 1)),
            )
            (of_projected,) = _stacked(written)
            return of_projected, _of_kernel(before_hiddens, of_projected), of_hidden, of_cell

        return (hiddens, last_cell), gradient

    states: tuple[Any, Any] = run(projected, kernel, hidden, cell)
    return states


def _of_gates(gates: list[Any], before_cell: Any, cell: Any, of_hidden: Any, of_cell: Any) -> tuple[Any, Any]:
    """Gradients of the inputs of the gates of a step, concatenated, and of the previous cell state."""
    input_gate, forget, candidate, output = gates
    squashed = tf.tanh(cell)
    of_new = of_cell + of_hidden * output * (1 - squashed**2)
    of_gates = [
        of_new * candidate * input_gate * (1 - input_gate),
        of_new * before_cell * forget * (1 - forget),
        of_new * input_gate * (1 - candidate**2),
        of_hidden * squashed * output * (1 - output),
    ]
    return tf.concat(of_gates, axis=1), of_new * forget


def _of_kernel(inputs: Any, of_outputs: Any) -> Any:
    """Gradient of a kernel, from its inputs and the gradients of its outputs at all steps."""
    rows = [tf.reshape(each, (-1, tf.shape(each)[-1])) for each in (inputs, of_outputs)]
    return tf.matmul(*rows, transpose_a=True)


def _time_major(sequences: Any, mask: Any, backwards: bool) -> tuple[Any, Any]:
    sequences = tf.transpose(sequences, (1, 0, 2))
    if mask is None:
        mask = tf.ones(tf.shape(sequences)[:2], dtype=tf.bool)
    else:
        mask = tf.transpose(tf.cast(mask, tf.bool))
    if backwards:
        sequences, mask = tf.reverse(sequences, [0]), tf.reverse(mask, [0])
    return sequences, mask[:, :, None]


@keras.saving.register_keras_serializable(package="skvae")
class LSTM(layers.LSTM):
    """Keras' LSTM. On a CPU and with default options it runs `lstm`, otherwise Keras' code.

    The outputs of masked steps at the beginning are the initial state; those of Keras are 0.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        if not self._is_usual():
            return super().inner_loop(sequences, initial_state, mask, training=training)
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        sequences, mask = _time_major(sequences, mask, self.go_backwards)
        # Not by matmul, which would compute a kernel gradient for each step and then add them up.
        projected = tf.tensordot(sequences, tf.convert_to_tensor(self.cell.kernel), 1) + self.cell.bias
        hiddens, cell = lstm(
            projected, tf.convert_to_tensor(self.cell.recurrent_kernel), *initial_state, mask
        )
        outputs = tf.where(mask, hiddens, 0.0) if self.zero_output_for_mask else hiddens
        return hiddens[-1], tf.transpose(outputs, (1, 0, 2)), [hiddens[-1], cell]

    def _is_usual(self) -> bool:
        return bool(
            self.compute_dtype == "float32"
            and self.cell.activation is keras.activations.tanh
            and self.cell.recurrent_activation is keras.activations.sigmoid
            and self.use_bias
            and not (self.dropout or self.recurrent_dropout)
            # On GPUs, cuDNN is faster.
            and not tf.config.list_physical_devices("GPU")
        )
