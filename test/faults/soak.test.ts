import { readdirSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { until } from '../support/until.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { type Place, useEngine, usePlace } from '../support/engine.ts'
import { violations } from './invariants.ts'
import { isLong } from './service-process.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

interface Held {
  heapMb: number
  files: number
  connections: number
  resources: Record<string, number>
  listeners: number
}

/** The resources of this process, and its connections to the server. */
async function held ({ sql }: Place): Promise<Held> {
  collectGarbage()
  const resources: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  // Does not include the pool of the test, which opens and closes connections independently
  const [{ connections } = { connections: 0 }] = await sql<Array<{ connections: number }>>`
    SELECT count(*)::int AS connections FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`
  return {
    heapMb: process.memoryUsage().heapUsed / 1e6,
    files: process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0,
    connections,
    resources,
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  }
}

/** Milliseconds between two slots: 60 slots take two minutes. */
const slotMs = isLong ? 2000 : 0

for (const worker of [true, false]) {
  const slots = isLong ? (worker ? 60 : 10) : 3

  t.test(`resources do not grow during ${slots} slots, ${worker ? 'in workers' : 'on the main thread'}`, {
    timeout: 600_000
  }, async (t) => {
    const place = await usePlace(t)
    const clock = createManualClock('2026-11-22T10:00:30.000Z')
    const engine = useEngine(
      t, place, { worker, maxBackups: 5, schedule: { enabled: true, mode: 'calendar', cron: '* * * * *' } }, clock
    )
    engine.start()
    const source = await engine.create()
    await engine.update(source.id, { pinned: true })

    const idle = new AbortController()
    const written = (async () => {
      while (!idle.signal.aborted) {
        await place.sql`INSERT INTO users (name) SELECT 'Eve' FROM generate_series(1, 20)`
        await place.sql`UPDATE users SET name = 'Mallory' WHERE name = 'Eve'`
        // It locks users before orders, and a restore locks them in the reverse order: PostgreSQL aborts one of the two
        await place.sql`DELETE FROM users WHERE name = 'Mallory'`.catch(async (error) => {
          if (error.code !== '40P01') throw error
        })
        await delay(50)
      }
    })()

    async function slot (): Promise<void> {
      while (clock.waiting() < 3) await delay(1)
      const completed = new Promise((resolve) => { engine.once('backup:completed', resolve) })
      await clock.advance(60_000)
      t.match(await completed, { trigger: 'scheduled' })
    }

    async function round (): Promise<void> {
      const { id } = await engine.create()
      await engine.restore(source.id).catch((error) => { if (error.code !== 'FST_BACKUP_LOCK_TIMEOUT') throw error })
      await engine.verify(id)
      await text((await engine.download(id)).stream)
      const dropped = await engine.download(id)
      dropped.stream.destroy()
      const stopping = new AbortController()
      const aborted = engine.create({ signal: stopping.signal }).catch(() => {})
      stopping.abort()
      await aborted
      await engine.create({ schema: 'nowhere' }).catch(() => {})
      await engine.import((await engine.download(id)).stream)
      await engine.list()
      await engine.status()
    }

    for (let warmUp = 0; warmUp < 2; warmUp++) {
      await slot()
      await round()
    }
    const before = await held(place)
    const began = performance.now()
    for (let done = 1; done <= slots; done++) {
      await slot()
      if (done % (isLong ? 6 : 3) === 0) await round()
      await delay(Math.max(0, began + done * slotMs - performance.now()))
    }
    idle.abort()
    await written
    let after = await held(place)
    const isBack = (): boolean => after.files <= before.files + 2 && after.connections <= before.connections + 2
    // Destroyed streams and sockets close asynchronously
    const end = Date.now() + 10_000
    await until(async () => {
      after = await held(place)
      return isBack() || Date.now() > end
    })
    t.ok(isBack(), JSON.stringify({ before, after }))
    t.ok(after.heapMb < before.heapMb + 8, `${before.heapMb} MB of heap before, ${after.heapMb} MB after`)
    t.ok(after.listeners <= before.listeners, `${before.listeners} listeners before, ${after.listeners} after`)
    t.ok((after.resources.Timeout ?? 0) <= (before.resources.Timeout ?? 0) + 2, JSON.stringify({ before, after }))
    t.equal(after.resources.MessagePort ?? 0, before.resources.MessagePort ?? 0)
    await engine.stop()
    t.strictSame((await violations(place)).filter((problem) => !problem.startsWith('a lock')), [])
  })
}
