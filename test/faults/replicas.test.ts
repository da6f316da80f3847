import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type Place, usePlace } from '../support/engine.ts'
import { testSchema } from '../support/database.ts'
import { untilConsistent } from './invariants.ts'
import { createRandom } from './random.ts'
import { isLong } from './service-process.ts'

const script = fileURLToPath(new URL('replica.js', import.meta.url))
const slotMs = 5 * 60_000
const begin = Date.parse('2026-11-22T10:01:00.000Z')

interface Replica { name: string, child: ChildProcess, offsetMs: number }

function startReplica (
  t: Test, { url, directory }: Place, name: string, offsetMs: number, time: number, mode: 'calendar' | 'interval'
): Replica {
  const connection = `${url}${url.includes('?') ? '&' : '?'}application_name=${name}`
  const options = {
    enabled: true,
    auth: false,
    connection,
    schema: testSchema,
    storagePath: directory,
    maxBackups: 1000,
    schedule: { enabled: true, mode, cron: '*/5 * * * *' }
  }
  const child = fork(script, [JSON.stringify(options), String(time + offsetMs)], {
    execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
  child.on('error', () => {})
  t.after(() => { child.kill('SIGKILL') })
  return { name, child, offsetMs }
}

/** The replica that is taking a backup: the session that has locked the schema. */
async function activeReplica ({ sql }: Place): Promise<string | undefined> {
  const [blocker] = await sql`SELECT a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() AND EXISTS (
      SELECT FROM pg_locks r WHERE r.pid = l.pid AND r.locktype = 'relation' AND r.relation = 'users'::regclass)`
  return blocker?.name
}

const slotsOf = async ({ sql }: Place): Promise<string[]> =>
  (await sql`SELECT slot FROM backup_logs WHERE status = 'completed' AND slot IS NOT NULL ORDER BY slot`)
    .map(({ slot }) => slot.toISOString())

for (const mode of ['calendar', 'interval'] as const) {
  t.test(`replicas with different clocks take one backup per slot, also if one is killed (${mode})`, {
    timeout: 600_000
  }, async (t) => {
    const slots = isLong ? 50 : 2
    const random = createRandom()
    t.comment(`TEST_FAULTS_SEED=${random.seed}`)
    const place = await usePlace(t)
    await place.sql`CREATE TABLE bulk AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 30000)`
    let time = begin
    let started = 0
    const start = (): Replica => startReplica(t, place, `replica${started++}`, random.below(10_000) - 5000, time, mode)
    const replicas = Array.from({ length: isLong ? 8 : 3 }, start)
    await Promise.all(replicas.map(async ({ child }) => { await once(child, 'message') }))

    await untilConsistent(place)

    const expected: string[] = []
    for (let index = 0; index < slots; index++) {
      const slot = begin - begin % slotMs + (index + 1) * slotMs
      expected.push(new Date(slot).toISOString())
      let isKilled = index % 5 !== 1
      const reachedAt = Date.now()
      const limit = reachedAt + 60_000
      while (!(await slotsOf(place)).includes(new Date(slot).toISOString())) {
        if (Date.now() > limit) throw new Error(`seed ${random.seed}: slot ${index} got no backup`)
        // Ten times as fast as the system clock, so that a backup ends before the next slot, also on a busy machine
        time = Math.min(Math.max(time, slot + 20_000 + 10 * (Date.now() - reachedAt)), slot + slotMs - 10_000)
        for (const { child, offsetMs } of replicas) if (random.below(4) > 0) child.send(time + offsetMs)
        const name = isKilled ? undefined : await activeReplica(place)
        const at = replicas.findIndex((replica) => replica.name === name)
        const killed = replicas[at]
        if (killed !== undefined) {
          isKilled = true
          const gone = once(killed.child, 'exit')
          killed.child.kill('SIGKILL')
          await gone
          replicas[at] = start()
        }
        await delay(10)
      }
    }
    // Replicas that have missed these slots have nothing left to do
    for (const { child, offsetMs } of replicas) child.send(time + offsetMs)
    await untilConsistent(place)
    t.strictSame(await slotsOf(place), expected, `seed ${random.seed}`)
    t.strictSame(
      [...await place.sql`SELECT count(*)::int AS runs FROM backup_logs WHERE status = 'completed'`],
      [{ runs: slots }]
    )
    for (const { child } of replicas) child.kill('SIGKILL')
  })
}
