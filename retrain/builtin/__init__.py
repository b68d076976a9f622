"""The backbone that the package carries with it; see README.md, its model card."""
