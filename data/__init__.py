"""In and out: the city folder, its makers and its one reader."""
