"""Speech recognition, language model, synthesis and turn detection: contracts, and one engine a file."""
