"""The pretrained networks whose output is the bottleneck, and what runs them."""
