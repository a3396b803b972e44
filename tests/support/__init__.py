"""What several tests drive things with."""
