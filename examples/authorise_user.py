"""Get a user's token by the three-legged OAuth flow, and read the user's locker with it.

Run it against a sandbox: start `sevendigital sandbox`, paste the lines that it prints into another shell,
and run this script there. With a real key the user signs in on the printed page. The sandbox's page approves at once,
and this script opens it.
"""

import asyncio
from urllib.request import urlopen

from sevendigital_async import SevenDigital


async def main() -> None:
    """Run the three steps of the flow."""
    async with SevenDigital.from_env() as client:
        request = await client.oauth.request_token()
        page = client.oauth.authorise_url(request)
        print(f"approve the request at {page}")
        if "127.0.0.1" in page:
            await asyncio.to_thread(lambda: urlopen(page).close())  # noqa: S310 - the sandbox's own page
        else:
            await asyncio.to_thread(input, "press Enter when it is approved ")
        access = await client.oauth.access_token(request)
        mine = client.as_user(access.user_token)
        locker = await mine.classic.user.locker()
        print(f"the locker holds {locker.total_items or 0} releases")


if __name__ == "__main__":
    asyncio.run(main())
