"""What is wrong with a set of photos: copies, wrong labels, outliers, bad photos, and what to do about them."""
