"""What must be fast, each against the tool a user would use instead."""
