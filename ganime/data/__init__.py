"""Pictures: where they come from, and how they get into training."""
