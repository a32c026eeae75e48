"""Emotion distributions: MPCL and its references, training, evaluation, checkpoints, predictor."""
