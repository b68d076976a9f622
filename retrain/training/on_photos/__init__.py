"""Training on the photos themselves: fine-tuning, and from scratch."""
