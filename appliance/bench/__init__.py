"""What `frontdesk bench …` runs: measurements of the whole and of its parts."""
