"""Cats of several coats, drawn with Pillow, so that a first run needs no photos; `retrain demo` draws them.

They are drawings, not photographs. Every picture comes from its own seed (the run's seed, the coat, the number), so
asking for more pictures leaves the earlier ones as they are, byte for byte. Pose, size, place, light, background and
clutter are drawn by lot without regard to the coat: only the coat tells the classes apart. Several coats share their
colours on purpose (tabby and spotted; black, tortoiseshell and tuxedo; white and colourpoint), so that colours alone do
not tell them apart.
"""
