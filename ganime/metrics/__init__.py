"""How good generated pictures are: feature networks, distances between sets of pictures, evaluation."""
