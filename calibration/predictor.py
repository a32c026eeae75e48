"""The resident predictor for people who have a model of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.personal import PersonalModel
from model.batch import from_windows
from model.checkpoint import Checkpoint
from model.predictor import Explanation, Predictor
from realtime.errors import InputError
from realtime.window import Prediction, Window


class PersonalPredictor:
    """A checkpoint, and for some participants what calibration changed of it.

    Whoever has no model of their own is predicted by the checkpoint, in one batch with the
    others of whom the same holds.

    Parameters
    ----------
    checkpoint : Checkpoint
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    models : mapping of str to PersonalModel
        By participant.

    Raises
    ------
    InputError
        If a model is not of this checkpoint's networks, or the device is not there.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str = "auto",
        models: Mapping[str, PersonalModel] | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.population = Predictor(checkpoint, device)
        self._people: dict[str, tuple[PersonalModel, Predictor]] = {}
        for participant, model in (models or {}).items():
            self.adopt(participant, model)

    @property
    def emotions(self) -> tuple[str, ...]:
        """Names of the C emotions."""
        return self.population.emotions

    @property
    def negative(self) -> tuple[bool, ...]:
        """True for each unpleasant emotion."""
        return self.population.negative

    @property
    def training_mean(self) -> NDArray[np.float64]:
        """Mean distribution of the training people, shape (C,)."""
        return self.population.training_mean

    def prepared(self, participant: str, model: PersonalModel) -> Predictor:
        """Return a predictor with a person's networks, which takes a second; in any thread.

        Raises
        ------
        InputError
            If the model is not of this checkpoint's networks.
        """
        if model.shift.shape != (len(self.emotions),):
            raise InputError(
                f"the profile of {participant!r} is for {len(model.shift)} emotions, the "
                f"checkpoint has {len(self.emotions)}: choose the checkpoint that it was made with"
            )
        if not model.weights:
            return self.population
        try:
            networks = model.networks(self.checkpoint.ensemble)
        except ValueError as error:
            raise InputError(
                f"the profile of {participant!r} does not fit the checkpoint ({error}): choose "
                "the one that it was made with"
            ) from error
        changed = replace(self.checkpoint, ensemble=networks)
        return Predictor(changed, str(self.population.device))

    def adopt(
        self, participant: str, model: PersonalModel, predictor: Predictor | None = None
    ) -> None:
        """Predict a participant by a model of their own from the next window on.

        Parameters
        ----------
        participant : str
        model : PersonalModel
        predictor : Predictor, optional
            What `prepared` returned for it, if that was done beforehand.
        """
        self._people[participant] = model, predictor or self.prepared(participant, model)

    def __call__(self, windows: Sequence[Window]) -> Prediction:
        """Predict the windows of any number of participants."""
        rows: dict[str, list[int]] = {}
        for row, window in enumerate(windows):
            own = window.participant if window.participant in self._people else ""
            rows.setdefault(own, []).append(row)
        if set(rows) <= {""}:
            return self.population(windows)
        distributions = np.zeros((len(windows), len(self.emotions)))
        radius, intensity = np.zeros(len(windows)), np.zeros(len(windows))
        for participant, places in rows.items():
            found = self._predict(participant, [windows[row] for row in places])
            distributions[places] = found.distributions
            radius[places] = found.radius
            intensity[places] = found.intensity
        return Prediction(distributions, radius, intensity)

    def explain(self, windows: Sequence[Window], prototypes: int = 5) -> tuple[Explanation, ...]:
        """Say why, as `model.predictor.Predictor.explain`; by the checkpoint's own networks."""
        return self.population.explain(windows, prototypes)

    def _predict(self, participant: str, windows: Sequence[Window]) -> Prediction:
        if participant not in self._people:
            return self.population(windows)
        model, predictor = self._people[participant]
        batch = from_windows(windows, self.checkpoint.ensemble.names)
        found = predictor.predict(model.centred(batch))
        return Prediction(
            model.moved(found.distributions), np.full(len(windows), model.radius), found.intensity
        )
