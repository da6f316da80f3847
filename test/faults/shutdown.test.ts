import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import t from 'tap'
import { until } from '../support/until.ts'
import { usePlace } from '../support/engine.ts'
import { untilConsistent } from './invariants.ts'
import { isLong, startService, type ServiceProcess } from './service-process.ts'

const hourMs = 60 * 60_000
const rows = 150_000

if (process.platform === 'win32') {
  t.comment('Windows has no SIGTERM')
} else {
  t.test('SIGTERM during any operation ends the service cleanly, and the next one repairs log and storage', {
    timeout: 900_000
  }, async (t) => {
    const place = await usePlace(t)
    await place.sql`CREATE TABLE bulk AS SELECT repeat('x', 1000) AS text FROM generate_series(1, ${rows}::int)`

    /** Starts a service, gets it to work, ends it. Resolves with what `begin` gave. */
    async function interrupt<T> (
      what: string,
      begin: (service: ServiceProcess, address: string) => Promise<T>,
      options: Parameters<typeof startService>[2] = {}
    ): Promise<T> {
      const service = startService(t, place, options)
      const result = await begin(service, await service.listening)
      const before = performance.now()
      const code = await service.kill('SIGTERM')
      t.equal(code, 0, code === 0 ? what : `${what}: ${service.output()}`)
      t.comment(`${what}: ${(performance.now() - before).toFixed()} ms`)
      t.strictSame([...await place.sql`SELECT count(*)::int AS rows FROM bulk`], [{ rows }], what)
      t.notMatch(service.output(), /unhandled|Warning|damaged/i, what)
      await untilConsistent(place)
      return result
    }

    /** Asks the server: the log has the progress of a run every two seconds only. */
    const untilCopying = async (command: 'COPY TO' | 'COPY FROM'): Promise<void> => {
      await until(async () => {
        const copies = await place.sql`SELECT FROM pg_stat_progress_copy
          WHERE datname = current_database() AND command = ${command} AND bytes_processed > 0`
        return copies.length > 0
      }, { everyMs: 5 })
    }

    const statusesOf = async (trigger: string): Promise<unknown[]> =>
      (await place.sql`SELECT status FROM backup_logs WHERE trigger = ${trigger} ORDER BY started_at`)
        .map(({ status }) => status)

    const id = await interrupt(
      'nothing', async (service) => (((await service.call('POST', ''))?.body) as { id: string }).id
    )

    for (let round = 0; round < (isLong ? 3 : 1); round++) {
      const pending = await interrupt('create', async (service) => {
        const answer = service.call('POST', '')
        await untilCopying('COPY TO')
        return { answer }
      })
      t.match(await pending.answer, { status: 503, body: { code: /^FST_BACKUP_(?:SHUTTING_DOWN|ABORTED)$/ } })
      t.equal((await statusesOf('manual')).at(-1), 'failed')

      await interrupt('restore', async (service) => {
        const answer = service.call('POST', `/${id}/restore`)
        await untilCopying('COPY FROM')
        return { answer }
      })
      const found = await place.sql`SELECT status, restore ->> 'status' AS restore FROM backup_logs WHERE id = ${id}`
      t.strictSame([...found], [{ status: 'completed', restore: 'failed' }])

      await interrupt('verify', async (service) => ({ answer: service.call('POST', `/${id}/verify`) }))

      await interrupt('download', async (service, address) => {
        const { hostname, port } = new URL(address)
        const client = connect(Number(port), hostname)
        t.after(() => { client.destroy() })
        client.on('error', () => {}).write(`GET /admin/backup/${id}/download HTTP/1.1\r\nHost: x\r\n\r\n`)
        await once(client, 'data')
        client.pause()
      })

      await interrupt('import', async (service, address) => {
        const { hostname, port } = new URL(address)
        const client = connect(Number(port), hostname)
        t.after(() => { client.destroy() })
        client.on('error', () => {}).write('POST /admin/backup/import HTTP/1.1\r\nHost: x\r\n' +
          'Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{"manifest":{"format\r\n')
        await until(async () => (await readdir(place.directory)).some((name) => name.endsWith('.partial')))
      })
    }

    // The last slot of the schedule; the next service starts two hours later
    await place.sql`UPDATE backup_logs SET trigger = 'scheduled', slot = date_trunc('hour', now()) WHERE id = ${id}`
    const schedule = { enabled: true, cron: '0 */1 * * *' }
    await interrupt('a scheduled backup', async () => { await untilCopying('COPY TO') }, {
      schedule, clockOffsetMs: 2 * hourMs
    })
    t.strictSame(await statusesOf('scheduled'), ['completed', 'failed'])
    await interrupt('a schedule that goes on', async () => {
      await until(async () => (await statusesOf('scheduled')).filter((status) => status === 'completed').length === 2)
    }, { schedule, clockOffsetMs: 2 * hourMs })
    t.strictSame(await statusesOf('scheduled'), ['completed', 'failed', 'completed'])
  })
}
