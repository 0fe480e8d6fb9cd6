"""What must outlive a power cut: SQLite files, each with one writer."""
