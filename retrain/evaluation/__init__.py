"""`retrain evaluate`: an export, judged on labelled photos."""
