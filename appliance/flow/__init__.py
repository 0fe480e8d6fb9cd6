"""One conversation: from a line's frames to a line's frames."""
