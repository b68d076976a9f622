"""What `retrain sweep` tries: the lines of its table, each with each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from retrain.core.errors import OptionError
from retrain.training.fitting.convergence import L2_PATH
from retrain.training.recipe import HeadConfig, HeadRecipe, choose_recipe


@dataclass(frozen=True)
class Grid:
    """What is tried, each with each; empty stands for the default.

    An architecture may be several, joined by `+`. `weights` is by the name of a single one. Of
    `hidden_units`, () is a linear head. `optimizers`, `learning_rates` and `class_weights` (None: each photo
    counts the same) are those of `retrain`; a learning rate has no meaning for lbfgs, which is tried without.
    `views` are how many views of each photo a head is trained on.
    """

    architectures: tuple[str, ...]
    weights: Mapping[str, str]
    l2: tuple[float, ...] = ()
    hidden_units: tuple[tuple[int, ...], ...] = ((),)
    optimizers: tuple[str, ...] = ()
    learning_rates: tuple[float, ...] = ()
    epochs: int | None = None
    seed: int = 0
    class_weights: tuple[str | None, ...] = (None,)
    views: tuple[int, ...] = ()

    def backbones(self) -> tuple[str, ...]:
        """The single architectures, each once."""
        return tuple(dict.fromkeys(name for names in self.architectures for name in names.split("+")))

    def recipes(self) -> tuple[HeadRecipe, ...]:
        """All heads that are tried on the bottlenecks of each architecture.

        Raises OptionError for what makes no sense, and for options that no head would use.
        """
        if any(self.hidden_units) and set(self.optimizers) == {"lbfgs"}:
            raise OptionError(
                "`optimizer` lbfgs fits linear heads, without `hidden_units`: add adam to `optimizer`, "
                "or leave one of the two out."
            )
        recipes = list(dict.fromkeys(recipe for weight in self.class_weights for recipe in self._recipes(weight)))
        if all(recipe.optimizer == "lbfgs" for recipe in recipes):
            for option, values in (("`learning_rate`", self.learning_rates), ("`epochs`", self.epochs)):
                if values:
                    raise OptionError(
                        f"{option} belongs to mini-batches, and all heads here are fitted to convergence: add "
                        "`optimizer` lbfgs,adam or `hidden_units` 0,256, or leave it out."
                    )
        return tuple(recipes)

    def _recipes(self, class_weight: str | None) -> Iterator[HeadRecipe]:
        for units in self.hidden_units:
            for optimizer in self.optimizers or (("adam",) if units else ("lbfgs",)):
                if optimizer == "lbfgs":
                    if units:
                        continue  # linear by nature
                    for l2 in self.l2 or L2_PATH:
                        yield choose_recipe(HeadConfig(optimizer=optimizer, l2=l2, class_weight=class_weight))
                    continue
                for penalty in self.l2 or (None,):
                    for rate in self.learning_rates or (None,):
                        config = HeadConfig(
                            optimizer=optimizer,
                            l2=penalty,
                            class_weight=class_weight,
                            hidden_units=units,
                            learning_rate=rate,
                            epochs=self.epochs,
                        )
                        yield choose_recipe(config, self.seed)


@dataclass(frozen=True)
class Configuration:
    """One line of the table: bottlenecks, of so many views of each photo, and the recipe of a head."""

    architecture: str
    recipe: HeadRecipe
    views: int = 1

    def describe(self) -> str:
        """The head in words, as in `linear, lbfgs, l2 0.03`."""
        recipe = self.recipe
        parts = [f"hidden {'-'.join(map(str, recipe.hidden_units))}" if recipe.hidden_units else "linear"]
        parts.append(recipe.optimizer)
        if recipe.learning_rate:
            parts.append(f"learning rate {recipe.learning_rate:g}")
        if recipe.l2:
            parts.append(f"l2 {recipe.l2:g}")
        if recipe.class_weight:
            parts.append(recipe.class_weight)
        if self.views > 1:
            parts.append(f"{self.views} views")
        return ", ".join(parts)


def describe_work(recipes: Sequence[HeadRecipe], matrices: int, folds: int) -> str:
    """How many heads of which kind will be trained, in one sentence, so that nobody is surprised by the time.

    `matrices` is the number of backbones times that of views.
    """
    together = sum(fitted_together(recipe) for recipe in recipes)
    alone = sum(recipe.optimizer == "lbfgs" for recipe in recipes) - together
    kinds = (
        ("linear heads, all together", together),
        ("balanced linear heads, one after the other", alone),
        ("heads by mini-batches, one after the other", len(recipes) - together - alone),
    )
    parts = [f"{matrices * count * folds} {kind}" for kind, count in kinds if count]
    tried = f"{matrices * len(recipes)} configurations x {folds} folds"
    return f"{tried}: {'; '.join(parts)}."


def fitted_together(recipe: HeadRecipe) -> bool:
    """Whether heads of this recipe are trained as one wide product, see `retrain.training.fitting.linear_heads`."""
    return recipe.optimizer == "lbfgs" and recipe.class_weight is None
