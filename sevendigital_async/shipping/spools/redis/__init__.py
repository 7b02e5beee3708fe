"""A spool that many workers share, in Redis Streams."""

from .inspector import RedisSpoolInspector
from .spool import RedisSpool

__all__ = ["RedisSpool", "RedisSpoolInspector"]
