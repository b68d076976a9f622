"""What runs a backbone over photos."""
