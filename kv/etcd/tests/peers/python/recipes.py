"""What users of the Python client aetcd do, against a server whose host and port are the arguments."""

import asyncio
import sys

import aetcd


async def keys(client):
    first = await client.put(b'python/a', b'1')
    await client.put(b'python/a', b'2')
    await client.put(b'python/b', b'x')
    seen = await client.get(b'python/a')
    assert (seen.value, seen.version, seen.create_revision) == (b'2', 2, first.header.revision), seen
    assert [kv.value for kv in await client.get_prefix(b'python/')] == [b'2', b'x']
    assert (await client.put(b'python/a', b'3', prev_kv=True)).prev_kv.value == b'2'
    assert (await client.delete(b'python/b', prev_kv=True)).prev_kv.value == b'x'
    assert await client.get(b'python/b') is None


async def comparisons(client):
    await client.put(b'python/compared', b'old')
    transactions = client.transactions
    done, answers = await client.transaction(
        compare=[transactions.value(b'python/compared') == b'old', transactions.version(b'python/compared') > 0],
        success=[transactions.put(b'python/compared', b'new'), transactions.get(b'python/compared')],
        failure=[transactions.delete(b'python/compared')],
    )
    assert done and answers[1][0][0] == b'new', answers
    assert not await client.replace(b'python/compared', b'old', b'never')
    assert await client.replace(b'python/compared', b'new', b'newest')


async def leases(client):
    lease = await client.lease(100)
    await client.put(b'python/leased', b'v', lease=lease)
    assert list(await lease.keys()) == [b'python/leased']
    assert 0 < await lease.remaining_ttl() <= 100
    await lease.refresh()
    await lease.revoke()
    assert await client.get(b'python/leased') is None


async def watches(client):
    start = await client.put(b'python/watched', b'0')
    watch = await client.watch(b'python/watched', start_revision=start.header.revision, prev_kv=True)
    for value in [b'1', b'2']:
        await client.put(b'python/watched', value)
    await client.delete(b'python/watched')
    seen = []
    async for event in watch:
        seen.append((event.kind, event.kv.value))
        if event.kind == aetcd.rtypes.EventKind.DELETE:
            break
    await watch.cancel()
    put, delete = aetcd.rtypes.EventKind.PUT, aetcd.rtypes.EventKind.DELETE
    assert seen == [(put, b'0'), (put, b'1'), (put, b'2'), (delete, b'')], seen


async def locks(client):
    total = 0

    async def add():
        nonlocal total
        async with client.lock(b'python/lock', ttl=20):
            seen = total
            await asyncio.sleep(0.01)
            total = seen + 1

    await asyncio.gather(*(add() for _ in range(5)))
    assert total == 5, total


async def main():
    async with aetcd.Client(host=sys.argv[1], port=int(sys.argv[2])) as client:
        for recipe in [keys, comparisons, leases, watches, locks]:
            await asyncio.wait_for(recipe(client), 60)


asyncio.run(main())
