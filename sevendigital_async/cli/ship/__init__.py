"""What ``sevendigital ship`` is made of."""
