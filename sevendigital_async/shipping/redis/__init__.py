"""A spool that many workers share, in Redis Streams."""

from .archive import RedisArchive
from .spool import RedisSpool

__all__ = ["RedisArchive", "RedisSpool"]
