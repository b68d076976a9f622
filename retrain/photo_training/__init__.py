"""Training on photos instead of bottlenecks: fine-tuning, and a small network from scratch."""
