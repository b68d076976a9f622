"""Archives of photos: what kind one is, what is in it, and how it is unpacked so that it can do no harm."""
