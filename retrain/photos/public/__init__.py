"""Public data sets by their names: where they are, what is known of their files, and what becomes of them."""
