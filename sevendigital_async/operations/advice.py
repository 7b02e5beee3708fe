"""What to do when the answer of a request that must not be repeated is lost."""

LOST_SALE = (
    "the sale may be recorded and must not be sent again: ask the vendor's Client Success team for its purchase id,"
    " by your transaction id, or look into the user's locker"
)
