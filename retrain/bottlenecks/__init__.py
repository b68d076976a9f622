"""A data set through a backbone: its bottlenecks, from the store where it has them."""
