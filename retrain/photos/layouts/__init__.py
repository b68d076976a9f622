"""How a folder of photos is to be read: which folders are classes, which are sides of a split, which are neither.

It goes by names alone and opens no photo: `tree` lists what lies there, within bounds; `recognise` makes a `Reading`
of it.
"""
