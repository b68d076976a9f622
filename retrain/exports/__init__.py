"""Writing a trained classifier in the formats that others run, each checked before it is handed over."""
