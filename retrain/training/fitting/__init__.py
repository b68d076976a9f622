"""The numerical side of heads: minimisers, matrices read block by block, checkpoints."""
