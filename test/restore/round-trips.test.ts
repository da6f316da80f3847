import { connect, createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'

/**
 * A proxy that counts how often each connection waited for the database: by its messages ReadyForQuery (manual, 55.7).
 */
async function useCountingProxy (t: Test, url: string): Promise<{ url: string, counts: () => number[] }> {
  const target = new URL(url)
  const address = new URL(url)
  const ready: number[] = []
  const server = createServer((client) => {
    const database = connect(Number(target.port), target.hostname)
    const connection = ready.push(0) - 1
    const countReady = createMessageCounter(() => { ready[connection] = Number(ready[connection]) + 1 })
    client.on('error', () => { database.destroy() }).pipe(database)
    database.on('error', () => { client.destroy() }).on('data', countReady).pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => { server.close() })
  address.hostname = '127.0.0.1'
  address.port = String((server.address() as AddressInfo).port)
  return { url: address.href, counts: () => [...ready] }
}

/** A message is a letter and the length of the rest, whose first four bytes are the length itself (manual, 55.7). */
function createMessageCounter (onReady: () => void): (chunk: Buffer) => void {
  let head = Buffer.alloc(0)
  let skip = 0
  return (chunk) => {
    let start = Math.min(skip, chunk.length)
    skip -= start
    while (start < chunk.length) {
      const wanted = 5 - head.length
      head = Buffer.concat([head, chunk.subarray(start, start + wanted)])
      start += wanted
      if (head.length < 5) return
      if (head[0] === 'Z'.charCodeAt(0)) onReady()
      skip = head.readUInt32BE(1) - 4
      head = Buffer.alloc(0)
      const skipped = Math.min(skip, chunk.length - start)
      start += skipped
      skip -= skipped
    }
  }
}

const createTable = (name: string): string => `
  CREATE TABLE ${name} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, up int REFERENCES t_0, CHECK (known(id)));
  ALTER TABLE ${name} ADD CHECK (id > 0) NOT VALID;
  CREATE TRIGGER note BEFORE UPDATE ON ${name} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
  INSERT INTO ${name} (up) SELECT NULL FROM generate_series(1, 3);`

const tables = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => createTable(`t_${from + index}`)).join('')

t.test('each further table takes a restore one more query, and a backup none', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe("CREATE FUNCTION known (int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'")
  const proxy = await useCountingProxy(t, url)
  const { engine } = await useEngineWithFiles(t, { connection: proxy.url, worker: false })
  // Of the connection with the most round trips: progress is written to the log on another one, at intervals of time
  const countOf = async <T>(work: () => Promise<T>): Promise<[number, T]> => {
    const before = proxy.counts()
    const value = await work()
    return [Math.max(...proxy.counts().map((count, connection) => count - Number(before[connection] ?? 0))), value]
  }
  const measure = async (): Promise<{ create: number, restore: number }> => {
    const [create, { id }] = await countOf(async () => await engine.create())
    await sql`UPDATE t_1 SET up = 1`
    const [restore] = await countOf(async () => await engine.restore(id))
    return { create, restore }
  }
  await sql.unsafe(tables(0, 10))
  await engine.list()
  await measure()
  const few = await measure()
  await sql.unsafe(tables(10, 45))
  const many = await measure()
  // The queries of a run on the log are distributed over the connections of the log
  t.ok(Math.abs(many.create - few.create) < 10)
  t.equal(many.restore - few.restore, 35, 'only the COPY of each table')
})
