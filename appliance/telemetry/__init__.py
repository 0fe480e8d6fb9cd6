"""What happened, told to the outside; it only listens to events."""
