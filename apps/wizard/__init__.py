"""The wizard: a guided calibration in a window, and the rating of one trial."""
