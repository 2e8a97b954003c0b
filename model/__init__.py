"""The vocabulary of the product: frozen nouns, no verbs, standard library only."""
