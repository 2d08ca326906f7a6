"""Parts of `skvae.plotting`."""
