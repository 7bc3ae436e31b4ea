"""What the user wrote, composed, checked, and told where it came from."""
