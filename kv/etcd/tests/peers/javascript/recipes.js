// What users of the npm client etcd3 do, against a server whose address is the argument.
const assert = require('assert');
const { Etcd3 } = require('etcd3');

async function keys(client) {
  await client.put('npm/a').value('1');
  await client.put('npm/a').value('2');
  await client.put('npm/b').value('x');
  assert.strictEqual(await client.get('npm/a').string(), '2');
  assert.deepStrictEqual(await client.getAll().prefix('npm/').strings(), { 'npm/a': '2', 'npm/b': 'x' });
  assert.deepStrictEqual(await client.getAll().prefix('npm/').sort('Key', 'Descend').limit(1).keys(), ['npm/b']);
  const [before] = await client.delete().key('npm/b').getPrevious();
  assert.strictEqual(before.value.toString(), 'x');
  assert.strictEqual(await client.get('npm/b').string(), null);
}

async function comparisons(client) {
  await client.put('npm/compared').value('old');
  const attempt = () =>
    client
      .if('npm/compared', 'Value', '==', 'old')
      .and('npm/compared', 'Version', '>', 0)
      .then(client.put('npm/compared').value('new'))
      .else(client.get('npm/compared'))
      .commit();
  assert.strictEqual((await attempt()).succeeded, true);
  const refused = await attempt();
  assert.strictEqual(refused.succeeded, false);
  assert.strictEqual(refused.responses[0].response_range.kvs[0].value.toString(), 'new');
}

async function leases(client) {
  const lease = client.lease(100);
  await lease.put('npm/leased').value('v');
  await lease.keepaliveOnce();
  assert.strictEqual(await client.get('npm/leased').string(), 'v');
  await lease.revoke();
  assert.strictEqual(await client.get('npm/leased').string(), null);
}

async function watches(client) {
  const watcher = await client.watch().prefix('npm/watched/').withPreviousKV().create();
  const seen = [];
  const gone = new Promise((resolve) => watcher.on('delete', resolve));
  watcher.on('put', (kv) => seen.push(kv.value.toString()));
  for (const value of ['1', '2', '3']) {
    await client.put('npm/watched/key').value(value);
  }
  await client.delete().key('npm/watched/key');
  await gone;
  assert.deepStrictEqual(seen, ['1', '2', '3']);
  await watcher.cancel();
}

async function locks(client) {
  const lock = client.lock('npm/lock').ttl(20);
  await lock.acquire();
  await assert.rejects(client.lock('npm/lock').acquire());
  await lock.release();
  assert.strictEqual(await client.lock('npm/lock').do(() => 'held'), 'held');
}

async function main() {
  const client = new Etcd3({ hosts: process.argv[2] });
  for (const recipe of [keys, comparisons, leases, watches, locks]) {
    await recipe(client);
  }
  client.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
