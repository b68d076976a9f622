"""Where photos become bottlenecks: one file for each executor, and `registry`, which lists them."""
