"""Some of many, evenly spread."""


def spread(length: int, count: int) -> list[int]:
    """Up to `count` of the indices 0..length-1, evenly spread."""
    step = max(1, length / count)
    return [int(position * step) for position in range(min(length, count))]
