"""Where callers come in: each door turns one into a Line."""
