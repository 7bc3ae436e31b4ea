"""What a network answered to pictures: its layers read, and kept."""
