import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { until } from '../postgres/backends.ts'
import { type Place, usePlace } from '../support/engine.ts'
import { type TestScope } from '../support/database.ts'
import { whole } from './invariants.ts'
import { isLong, startService } from './service-process.ts'

/** Somebody who asks for a snapshot, and takes it when told to. */
interface Downloader { socket: Socket, received: number, ended: Promise<unknown> }

async function startDownload (t: TestScope, address: string, id: string): Promise<Downloader> {
  const { hostname, port } = new URL(address)
  const socket = connect(Number(port), hostname)
  t.after(async () => { socket.destroy() })
  const downloader: Downloader = { socket, received: 0, ended: new Promise((resolve) => { socket.on('error', () => {}).once('close', resolve) }) }
  socket.write(`GET /admin/backup/${id}/download HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  const [head] = await once(socket, 'data') as [Buffer]
  socket.pause()
  const text = head.toString('latin1')
  if (!text.startsWith('HTTP/1.1 200 OK\r\n')) throw new Error(text)
  downloader.received = head.length - text.indexOf('\r\n\r\n') - 4
  socket.on('data', (chunk) => { downloader.received += chunk.length }).pause()
  return downloader
}

/** Sessions of the services that are at anything. */
async function busySessions ({ sql }: Place): Promise<unknown[]> {
  return [...await sql`SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`]
}

t.test('downloads, many at once and of clients that take their time, cost little memory and no connection to the database', { timeout: 300_000 }, async (t) => {
  const count = isLong ? 200 : 50
  const place = await usePlace(t)
  await place.sql`CREATE TABLE bulk AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 20000)`
  const service = startService(t, place)
  const address = await service.listening
  const made = (await service.call('POST', ''))?.body as { id: string, sizeBytes: number }
  const first = await startDownload(t, address, made.id)
  first.socket.resume()
  await first.ended
  t.equal(first.received, made.sizeBytes)

  const before = await service.memoryMb()
  const downloaders = await Promise.all(Array.from({ length: count }, async () => await startDownload(t, address, made.id)))
  // Those who stall: as much as the system's buffers hold has gone out to them
  await delay(isLong ? 10_000 : 500)
  const stalled = await service.memoryMb() - before
  // They hold 0.3 MB each; the rest is what any work leaves behind in a young process. In pieces of 1 MiB it would be 3 MB each
  t.ok(stalled < 40 + count * 0.5, `${stalled} MB for ${count} that stall`)
  t.strictSame(await busySessions(place), [])
  t.match(await service.call('POST', ''), { status: 201 }, 'a backup goes on beside them')
  t.match(await service.call('POST', `/${made.id}/restore`), { status: 200 })

  let most = 0
  const watching = setInterval(() => { service.memoryMb().then((mb) => { most = Math.max(most, mb - before) }, () => {}) }, 50)
  for (const { socket } of downloaders) socket.resume()
  await Promise.all(downloaders.map(async ({ ended }) => { await ended }))
  clearInterval(watching)
  // What the allocator and the collector leave lying about while 1 GB flows, and not a file for each
  t.ok(most < 250, `${most} MB for ${count} at once`)
  t.comment(`${count} downloads of ${made.sizeBytes} bytes: ${stalled.toFixed(1)} MB while they stall, ${most.toFixed(1)} MB while all flow`)
  t.ok(downloaders.every(({ received }) => received === made.sizeBytes))

  // And those who are still there when the service ends don't hold it up
  await Promise.all(Array.from({ length: count }, async () => await startDownload(t, address, made.id)))
  const began = performance.now()
  const code = await service.kill('SIGTERM')
  t.equal(code, 0, code === 0 ? 'the service ends in order' : service.output())
  t.ok(performance.now() - began < 5000)
  t.notMatch(service.output(), /damaged/, 'which says nothing of the file')
  await until(async () => (await busySessions(place)).length === 0)
  await whole(place)
})
