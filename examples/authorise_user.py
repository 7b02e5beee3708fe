"""Come by a user's token, the three-legged way, and look into their locker with it.

Run it against a sandbox: `sevendigital sandbox --port 8700`, paste the lines it prints, then run this. With a real key
the user signs in at the address that is printed; the sandbox's page agrees by itself, and this script visits it.
"""

import asyncio
from urllib.request import urlopen

from sevendigital_async import SevenDigital


async def main() -> None:
    """Walk through the three legs."""
    async with SevenDigital.from_env() as client:
        request = await client.oauth.request_token()
        page = client.oauth.authorise_url(request)
        print(f"the user agrees at {page}")
        if "127.0.0.1" in page:
            await asyncio.to_thread(lambda: urlopen(page).close())  # noqa: S310 - the sandbox's own page
        else:
            await asyncio.to_thread(input, "press Enter when that is done ")
        access = await client.oauth.access_token(request)
        mine = client.as_user(access.user_token)
        locker = await mine.classic.user.locker()
        print(f"the locker holds {locker.total_items or 0} releases")


if __name__ == "__main__":
    asyncio.run(main())
