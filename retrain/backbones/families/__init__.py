"""The networks of the registry, one file for each family, which declares its architectures as `FAMILY`."""
