"""A DCGAN that learns to write MNIST's digits, as a resumable program that explains itself.

The layers, from the bottom up; each imports only what stands above it in this list:

- `failure`, `durable`: what may go wrong, and writing files whole or not at all;
- `settings`, `stream`, `data`: what is asked for, the random numbers, the images;
- `checkpoint`, `metrics`, `state`, `picture`: the files of a run folder;
- `draw`, `evaluate`: new digits and how legible they are, in NumPy alone;
- `model`, `step`, `device`: the networks and one training step, on TensorFlow or JAX by Keras 3;
- `train`, `page`, `cli`: the two processes and the command line.

Nothing up to `evaluate` imports TensorFlow, JAX or Keras: the page and `sample` work without them.
"""

__version__ = "1.0.0"
