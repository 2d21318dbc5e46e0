"""What keeps the book: its notebooks, its build, its addresses."""
