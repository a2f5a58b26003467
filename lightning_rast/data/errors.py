"""What is wrong with views, in words for the person who made them."""


class ViewsError(ValueError):
    """Views that cannot be used, with the file or view named."""


class EmptyMaskError(ViewsError):
    """A mask image without an object."""
