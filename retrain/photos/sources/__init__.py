"""Where photos come from: one file for each layout, and `registry`, which lists them.

Photos that are no files (Parquet, tfds) are written once as files, see `unpack`; everything later works on paths.
docs/sources.md shows each form.
"""
