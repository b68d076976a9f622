"""L-BFGS for many functions of equal shape at once, so that their evaluations can be shared.

Each function is minimised as `retrain.training.fitting.lbfgs` does it alone; what is done together is evaluating and
preconditioning, in which one wide product takes the place of many narrow ones. Functions that have
converged take no further part.

The two loops of L-BFGS are written as products with all remembered steps and two small triangular
systems (Byrd, Nocedal and Schnabel 1994), between which the preconditioner of all functions runs.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from retrain.training.fitting.lbfgs import MEMORY, MOST_HALVINGS, ROUNDING, SUFFICIENT_DECREASE

Array = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Evaluate = Callable[[Indices, Array], tuple[Numbers, Array]]


class Memory:
    """The last steps of one function, and how its gradient changed over them; all flat, (size,)."""

    def __init__(self, size: int, pairs: int = MEMORY) -> None:
        self._steps = np.zeros((pairs, size), np.float32)
        self._changes = np.zeros((pairs, size), np.float32)
        self._products = np.zeros((pairs, pairs))  # of steps (rows) and changes (columns)
        self._order: list[int] = []  # places in the arrays, oldest first

    def add(self, step: Array, change: Array) -> None:
        """Remember a step, unless the curvature along it is not positive, as in rounding."""
        if float(step @ change) <= 0:
            return
        full = len(self._order) == len(self._steps)
        place = self._order.pop(0) if full else len(self._order)
        self._order.append(place)
        self._steps[place], self._changes[place] = step, change
        self._products[place] = self._changes @ step
        self._products[:, place] = self._steps @ change

    def add_penalty(self, penalty: float, penalised: npt.NDArray[np.bool_]) -> None:
        """Account for an L2 penalty where `penalised` (size,) is True that is `penalty` stronger from now on."""
        penalised_steps = self._steps * penalised
        self._changes += np.float32(penalty) * penalised_steps
        self._products += penalty * (self._steps @ penalised_steps.T)
        self._order = [place for place in self._order if self._products[place, place] > 0]
        if len(self._order) < len(self._steps):
            self._pack()

    @property
    def last_change(self) -> Array:
        """How the gradient changed over the last step; zeros without one."""
        change: Array = self._changes[self._order[-1] if self._order else 0]
        return change

    def scale(self, preconditioned: Array) -> np.float32:
        """As `lbfgs.Memory.scale`, from the last change after the preconditioner; 1 without one."""
        product = float(self.last_change @ preconditioned)
        last = self._order[-1] if self._order else 0
        return np.float32(self._products[last, last] / product if product > 0 else 1)  # it may underflow

    def before(self, gradient: Array) -> tuple[Array, Numbers]:
        """First loop: what is left of the gradient for the preconditioner, and the shares of the steps."""
        used = self._order
        if not used:
            return gradient.copy(), np.zeros(0)
        upper = np.triu(self._products[np.ix_(used, used)])
        shares: Numbers = np.linalg.solve(upper, (self._steps @ gradient)[used]).astype(np.float64)
        return gradient - self._spread(shares) @ self._changes, shares

    def after(self, direction: Array, shares: Numbers) -> Array:
        """Second loop, on what the preconditioner made of the rest."""
        used = self._order
        if not used:
            return direction
        products = self._products[np.ix_(used, used)]
        wanted = np.diag(products) * shares - (self._changes @ direction)[used]
        final: Numbers = np.linalg.solve(np.triu(products).T, wanted).astype(np.float64)
        return direction + self._spread(final) @ self._steps

    def _spread(self, shares: Numbers) -> Array:
        """Shares of the steps in use, as shares of all places."""
        spread = np.zeros(len(self._steps), np.float32)
        spread[self._order] = shares
        return spread

    def _pack(self) -> None:
        """Move the steps in use to the first places, in order."""
        used, count = self._order, len(self._order)
        self._steps[:count], self._changes[:count] = self._steps[used], self._changes[used]
        self._products[:count, :count] = self._products[np.ix_(used, used)]
        self._order = list(range(count))


def minimise_together(
    evaluate: Evaluate,
    start: Array,
    precondition: Callable[[Array], Array],
    memories: Sequence[Memory],
    tolerance: float,
    least_loss: float = 0.0,
    most_steps: int = 1000,
) -> tuple[Array, Numbers]:
    """Minimise k convex functions; the parameters (k, size) and the values (k,) reached, as the last step promises.

    `evaluate(indices, parameters)` gives values and gradients of some of the functions, (m,) and (m, size);
    `precondition` applies an approximate inverse of the Hessian to gradients (m, size). A function is
    done when a step promises to lower it by less than `tolerance` times its value, or times
    `least_loss` if that is more; that step is still taken, but not evaluated.
    """
    parameters = start.copy()
    active = np.arange(len(start))
    values, gradients = evaluate(active, parameters)
    for _ in range(most_steps):
        directions = np.empty_like(parameters)
        directions[active] = _directions([memories[int(index)] for index in active], gradients[active], precondition)
        slopes = np.array([float(gradients[index] @ directions[index]) for index in active])
        # A quadratic falls by half of what the slope promises: known without another evaluation.
        promising = slopes / 2 > tolerance * np.maximum(np.abs(values[active]), least_loss)
        # The last step is small enough to be taken without another evaluation.
        last = active[~promising]
        parameters[last] -= directions[last]
        values[last] -= np.maximum(slopes[~promising], 0) / 2
        active, slopes = active[promising], slopes[promising]
        if not len(active):
            break
        searching, length = np.arange(len(active)), 1.0
        finished = np.zeros(len(active), bool)
        for _ in range(MOST_HALVINGS):
            indices = active[searching]
            trials = parameters[indices] - np.float32(length) * directions[indices]
            new_values, new_gradients = evaluate(indices, trials)
            allowed = values[indices] - SUFFICIENT_DECREASE * length * slopes[searching]
            accepted = new_values <= allowed + ROUNDING * np.abs(values[indices])
            # Less than the rounding of the value is no progress, whatever the slope promises.
            finished[searching[accepted]] = (values[indices] - new_values <= ROUNDING * np.abs(new_values))[accepted]
            for index, trial, value, gradient in zip(
                indices[accepted], trials[accepted], new_values[accepted], new_gradients[accepted], strict=True
            ):
                memories[int(index)].add(trial - parameters[index], gradient - gradients[index])
                parameters[index], values[index], gradients[index] = trial, value, gradient
            searching = searching[~accepted]
            if not len(searching):
                break
            length /= 2
        finished[searching] = True  # rounding leaves nothing to gain along this direction
        active = active[~finished]
        if not len(active):
            break
    return parameters, values


def _directions(memories: Sequence[Memory], gradients: Array, precondition: Callable[[Array], Array]) -> Array:
    """The inverses of the estimated Hessians times the gradients (m, size), as `lbfgs.Memory.direction`."""
    loops = [memory.before(gradient) for memory, gradient in zip(memories, gradients, strict=True)]
    changes = (memory.last_change for memory in memories)
    rests, of_changes = np.split(precondition(np.stack([*(rest for rest, _ in loops), *changes])), 2)
    directions = [
        memory.after(memory.scale(of_change) * rest, shares)
        for memory, rest, of_change, (_, shares) in zip(memories, rests, of_changes, loops, strict=True)
    ]
    return np.stack(directions)
