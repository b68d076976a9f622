"""The networks of the registry that Keras does not bring, one file for each family."""
