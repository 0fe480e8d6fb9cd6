"""Signal processing that several floors share."""
