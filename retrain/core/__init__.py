"""What every room may use: errors, the machine, files that take their place in one step."""
