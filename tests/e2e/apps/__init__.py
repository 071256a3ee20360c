"""Small apps that the browser tests drive."""
