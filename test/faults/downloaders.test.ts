import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { until } from '../support/until.ts'
import { type Place, usePlace } from '../support/engine.ts'
import { type TestScope } from '../support/database.ts'
import { untilConsistent } from './invariants.ts'
import { isLong, type ServiceProcess, startService } from './service-process.ts'

/** A client that downloads a snapshot, and reads it after `socket.resume()`. */
interface Downloader { socket: Socket, received: number, ended: Promise<unknown> }

async function startDownload (t: TestScope, address: string, id: string): Promise<Downloader> {
  const { hostname, port } = new URL(address)
  const socket = connect(Number(port), hostname)
  t.after(async () => { socket.destroy() })
  const downloader: Downloader = {
    socket, received: 0, ended: new Promise((resolve) => { socket.on('error', () => {}).once('close', resolve) })
  }
  socket.write(`GET /admin/backup/${id}/download HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  const [head] = await once(socket, 'data') as [Buffer]
  socket.pause()
  const text = head.toString('latin1')
  if (!text.startsWith('HTTP/1.1 200 OK\r\n')) throw new Error(text)
  downloader.received = head.length - text.indexOf('\r\n\r\n') - 4
  socket.on('data', (chunk) => { downloader.received += chunk.length }).pause()
  return downloader
}

/**
 * The memory of a service in MB, once it no longer grows: by then the buffers of the system are full for all stalled
 * clients.
 */
async function steadyMemory (service: ServiceProcess): Promise<number> {
  let last = 0
  for (let steady = 0; steady < 5;) {
    const now = await service.memoryMb()
    steady = now > last + 1 ? 0 : steady + 1
    last = Math.max(last, now)
    await delay(100)
  }
  return last
}

/** Sessions of the services that are not idle. */
async function busySessions ({ sql }: Place): Promise<unknown[]> {
  return [
    ...await sql`SELECT state, query FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`
  ]
}

t.test('many concurrent and slow downloads need little memory and no connection to the database', {
  timeout: 300_000
}, async (t) => {
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
  const downloaders = await Promise.all(Array.from(
    { length: count }, async () => await startDownload(t, address, made.id)
  ))
  const stalled = await steadyMemory(service) - before
  // Each needs 0.3 MB; the rest is memory that a new process allocates for any work. In chunks of 1 MiB, each would
  // need 3 MB
  t.ok(stalled < 40 + count * 0.5, `${stalled} MB for ${count} that stall`)
  t.strictSame(await busySessions(place), [])
  t.match(await service.call('POST', ''), { status: 201 }, 'a backup runs at the same time')
  t.match(await service.call('POST', `/${made.id}/restore`), { status: 200 })

  let most = 0
  const watching = setInterval(
    () => { service.memoryMb().then((mb) => { most = Math.max(most, mb - before) }, () => {}) }, 50
  )
  for (const { socket } of downloaders) socket.resume()
  await Promise.all(downloaders.map(async ({ ended }) => { await ended }))
  clearInterval(watching)
  // Garbage that is not yet collected while 1 GB is sent. With complete files in memory it would be much more
  t.ok(most < 250, `${most} MB for ${count} at once`)
  t.comment(`${count} downloads of ${made.sizeBytes} bytes: ${stalled.toFixed(1)} MB while they stall, ` +
    `${most.toFixed(1)} MB while all are sent`)
  t.strictSame(downloaders.map(({ received }) => received), Array(count).fill(made.sizeBytes))

  // Open downloads do not delay the end of the service
  await Promise.all(Array.from({ length: count }, async () => await startDownload(t, address, made.id)))
  const code = await service.kill('SIGTERM')
  t.equal(code, 0, code === 0 ? 'the service ends in order' : service.output())
  t.notMatch(service.output(), /damaged/, 'an interrupted download does not mean that the file is damaged')
  await until(async () => (await busySessions(place)).length === 0)
  await untilConsistent(place)
})
