"""`retrain studio`: photos are collected, labelled, trained on and tried in a browser, over an ordinary folder."""
