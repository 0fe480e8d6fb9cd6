"""What the agent knows of the business."""
