"""Many heads over cached bottlenecks, chosen by cross-validation: `retrain sweep`."""
