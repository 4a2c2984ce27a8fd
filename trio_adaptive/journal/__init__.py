"""What has happened, for people: records in words, and what it has cost."""
