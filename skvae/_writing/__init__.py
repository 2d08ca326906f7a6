"""From latents to texts: decoding, guidance, steering, interpolation; no estimator of skvae enters."""
