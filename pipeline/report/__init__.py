"""What a person reads at the end: tables, figures, and the words around them."""
