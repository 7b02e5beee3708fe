"""Ship a hundred plays and print how many were delivered.

Run it against a sandbox: start `sevendigital sandbox`, paste the lines that it prints into another shell,
and run this script there.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from sevendigital_async import DeadLetter, LogKind, SevenDigital, StreamLog, StreamLogShipper


def store(letter: DeadLetter) -> None:
    """Print a dead letter; a real service would store it."""
    print(f"refused: track {letter.log.track_id}: {letter.reason}")


async def main() -> None:
    """Put a hundred preview plays and wait until each is delivered, buried or held."""
    now = datetime.now(UTC)
    async with SevenDigital.from_env() as client, StreamLogShipper(client, on_dead_letter=store) as shipper:
        for number in range(100):
            play = StreamLog(
                track_id=str(100_000 + number),
                timestamp=now - timedelta(seconds=number),
                duration_played=number % 31,
                country="GB",
            )
            await shipper.put(LogKind.PREVIEW, play)
        statistics = await shipper.flush(timeout=30)
    print(f"{statistics.delivered} of {statistics.put} delivered in {statistics.requests} requests")
    print(f"requests left today: {client.rate_limit.remaining}")


if __name__ == "__main__":
    asyncio.run(main())
