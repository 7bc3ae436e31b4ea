"""The one exception that a user sees as a sentence instead of a traceback."""


class SeedscopeError(Exception):
    """A mistake of the user's or of the surroundings, told in one sentence: what, where, what would be right."""
