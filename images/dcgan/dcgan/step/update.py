"""What follows from the gradients of a step: Adam's update, the running statistics and averages, float16's scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from dcgan import model
from dcgan.settings import Recipe
from dcgan.step.backend import Tensor, Tree

BETA2 = 0.999
ADAM_EPSILON = 1e-7
FIRST_SCALE = 2.0**15
"""What float16 multiplies gradients with at first."""
LARGEST_SCALE = 2.0**24
CLEAN_STEPS = 1000
"""After so many steps without an overflow, float16 tries a scale twice as large."""


def updated(recipe: Recipe, state: Tree, gradients: Tree, measured: Tree) -> Tree:
    """The state after Adam's update by the gradients, with statistics and average following."""
    steps = state["count"]["steps"] + 1.0
    new = {**state, "count": {"steps": steps}}
    for network, tree in gradients.items():
        rate = _rate(getattr(recipe, f"{network}_rate"), recipe.beta1, steps)
        groups = [state[group] for group in (network, f"{network}.m", f"{network}.v")]
        results = {name: _adam(recipe.beta1, rate, tree[name], *(group[name] for group in groups)) for name in tree}
        for place, group in enumerate((network, f"{network}.m", f"{network}.v")):
            new[group] = {name: values[place] for name, values in results.items()}
    new["statistics"] = _towards(state["statistics"], measured, model.MOMENTUM)
    latest = {**new["generator"], **new["statistics"]}
    new["average"] = _averaged(state["average"], latest, recipe.averaging, steps)
    return new


def _rate(rate: float, beta1: float, steps: Tensor) -> Tensor:
    """The step size with Adam's bias correction folded in, as Keras does."""
    # As exp(steps * log(beta)): a power with a float exponent is not one kernel on every backend.
    past1, past2 = (ops.exp(steps * float(np.log(beta))) for beta in (beta1, BETA2))
    return rate * ops.sqrt(1.0 - past2) / (1.0 - past1)


def _adam(beta1: float, rate: Tensor, gradient: Tensor, weight: Tensor, m: Tensor, v: Tensor) -> tuple[Tensor, ...]:
    """One weight and its two moments after an update."""
    m = m + (gradient - m) * (1.0 - beta1)
    v = v + (ops.square(gradient) - v) * (1.0 - BETA2)
    return weight - m * rate / (ops.sqrt(v) + ADAM_EPSILON), m, v


def _towards(old: Tree, new: Tree, kept: Any) -> Tree:
    return {name: old[name] + (new[name] - old[name]) * (1.0 - kept) for name in old}


def _averaged(average: Tree, latest: Tree, decay: float, steps: Tensor) -> Tree:
    """The running average; young averages forget faster, so that they do not remember the random beginning."""
    if decay == 0.0:
        return latest
    return _towards(average, latest, ops.minimum(decay, (1.0 + steps) / (10.0 + steps)))


def unless_overflown(old: Tree, new: Tree, gradients: Tree) -> Tree:
    """Float16 only: keep the old weights when a gradient overflowed, and choose the next scale."""
    leaves = [value for tree in gradients.values() for value in tree.values()]
    finite = ops.all(ops.stack([ops.all(ops.isfinite(leaf)) for leaf in leaves]))
    chosen = {
        group: {key: ops.where(finite, value, old[group][key]) for key, value in tree.items()}
        for group, tree in new.items()
    }
    factor, clean = old["scaling"]["factor"], old["scaling"]["clean"] + 1.0
    grown = ops.where(clean >= CLEAN_STEPS, factor * 2.0, factor)
    chosen["scaling"] = {
        "factor": ops.where(finite, ops.minimum(grown, LARGEST_SCALE), ops.maximum(factor / 2.0, 1.0)),
        "clean": ops.where(ops.logical_and(finite, clean < CLEAN_STEPS), clean, 0.0),
    }
    return chosen
