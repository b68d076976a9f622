"""Which file of several with the same content is computed: one for all workers, asked for a batch at a time."""

from collections.abc import Sequence

NOT_YOURS, COMPUTE, KEPT = 0, 1, 2


class Claims:
    """Hands out contents, each to the file that asks first.

    The same file may ask again: the worker that asked for it may be gone. If its bottleneck is kept by then it is told
    so. About 200 bytes of memory for each content.
    """

    def __init__(self) -> None:
        self._owners: dict[bytes, int] = {}  # by content the index of a file; ~index once its bottleneck is kept

    def claim(self, contents: Sequence[bytes], files: Sequence[int]) -> list[int]:
        """For each file NOT_YOURS, COMPUTE or KEPT."""
        answers = []
        for content, file in zip(contents, files, strict=True):
            owner = self._owners.setdefault(content, file)
            answers.append(COMPUTE if owner == file else KEPT if owner == ~file else NOT_YOURS)
        return answers

    def keep(self, contents: Sequence[bytes], files: Sequence[int]) -> None:
        """The bottlenecks of these contents are in the store."""
        self._owners.update((content, ~file) for content, file in zip(contents, files, strict=True))
