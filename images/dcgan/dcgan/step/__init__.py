"""A training step: `engine` has the step and its loop, `update` the optimiser, the others a framework each."""
