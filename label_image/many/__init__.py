"""Many photos: labelled by all cores, into tables and folders, resumed after any interruption, or as they come."""
