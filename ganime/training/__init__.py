"""How two networks learn from pictures."""
