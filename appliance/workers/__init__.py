"""Child processes: a crash, a leak or a busy GIL in an engine cannot touch a call's audio."""
