import { connect, createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'

/** Messages of the database on one connection, by their type, which is a letter (manual, 55.7). */
type Messages = Map<string, number>

const readyForQuery = 'Z'
const copyOutResponse = 'H'

const countOf = (messages: Messages, type: string): number => messages.get(type) ?? 0

/** A proxy that counts the messages of the database on each of its connections. */
async function useCountingProxy (t: Test, url: string): Promise<{ url: string, connections: Messages[] }> {
  const target = new URL(url)
  const address = new URL(url)
  const connections: Messages[] = []
  const server = createServer((client) => {
    const database = connect(Number(target.port), target.hostname)
    const messages: Messages = new Map()
    connections.push(messages)
    const count = createMessageReader((type) => { messages.set(type, countOf(messages, type) + 1) })
    client.on('error', () => { database.destroy() }).pipe(database)
    database.on('error', () => { client.destroy() }).on('data', count).pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => { server.close() })
  address.hostname = '127.0.0.1'
  address.port = String((server.address() as AddressInfo).port)
  return { url: address.href, connections }
}

/** A message is its type and the length of the rest, whose first four bytes are the length itself (manual, 55.7). */
function createMessageReader (onMessage: (type: string) => void): (chunk: Buffer) => void {
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
      onMessage(head.toString('latin1', 0, 1))
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
  /**
   * How often a run waits for the database on its own connection: the one that copies rows. The run also writes to the
   * log, on other connections: its progress at intervals of time.
   */
  async function roundTripsOf<T> (work: () => Promise<T>): Promise<[number, T]> {
    const before = proxy.connections.map((messages) => new Map(messages))
    const value = await work()
    const added = (type: string): number[] => proxy.connections.map((messages, index) =>
      countOf(messages, type) - countOf(before[index] ?? new Map(), type))
    const copied = added(copyOutResponse)
    const roundTrips = added(readyForQuery).filter((count, index) => Number(copied[index]) > 0)
    t.equal(roundTrips.length, 1, 'one connection copies')
    return [Number(roundTrips[0]), value]
  }
  const measure = async (): Promise<{ create: number, restore: number }> => {
    const [create, { id }] = await roundTripsOf(async () => await engine.create())
    await sql`UPDATE t_1 SET up = 1`
    const [restore] = await roundTripsOf(async () => await engine.restore(id))
    return { create, restore }
  }
  await sql.unsafe(tables(0, 10))
  await engine.list()
  await measure()
  const few = await measure()
  await sql.unsafe(tables(10, 45))
  const many = await measure()
  t.equal(many.create, few.create)
  t.equal(many.restore - few.restore, 35, 'only the COPY of each table')
})
