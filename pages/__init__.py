"""Pages: each reads its controls, calls one model and shows the answer."""
