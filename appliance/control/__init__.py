"""What may be done with calls besides holding them: look at them, keep them."""
