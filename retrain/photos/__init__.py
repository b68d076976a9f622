"""The photos of a data set: where they come from, what each is called, on which side of the split it is."""
