"""What a trained generator can do."""
