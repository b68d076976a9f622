"""What shows that an export answers like the model it was made from."""
