"""The networks of the backbones: downloaded, built in Keras, frozen, and run by an engine."""
