"""The Pod Security Standards as the admission controller evaluates them, and the objects that choose among them."""
