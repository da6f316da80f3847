import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { Backup } from '../../types/index.ts'
import { type Place, usePlace } from '../support/engine.ts'
import { untilConsistent } from './invariants.ts'
import { createRandom } from './random.ts'
import { isLong, type ServiceProcess, startService } from './service-process.ts'

const actions = ['create', 'restore', 'prune', 'delete', 'start', 'close'] as const

/** All rows have the same generation, so that a partial restore is detected. */
async function fill ({ sql }: Place): Promise<void> {
  await sql`CREATE TABLE ledger
    (id int PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, generation int NOT NULL, filler text)`
  await sql`INSERT INTO ledger SELECT i, 1 + i % 2, 0, repeat('x', 200) FROM generate_series(1, 10000) AS i`
  await sql`CREATE TABLE state AS SELECT 0 AS generation`
}

async function turn ({ sql }: Place, generation: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`UPDATE state SET generation = ${generation}`
    await tx`UPDATE ledger SET generation = ${generation}`
  })
}

async function stateOf ({ sql }: Place): Promise<object> {
  const [found] = await sql`SELECT
    (SELECT count(*)::int FROM ledger) AS rows,
    (SELECT count(DISTINCT generation)::int
      FROM (SELECT generation FROM ledger UNION ALL SELECT generation FROM state) AS all_rows) AS generations,
    (SELECT count(*)::int FROM pg_constraint WHERE contype = 'f' AND convalidated) AS keys,
    (SELECT count(*)::int FROM pg_trigger WHERE tgenabled <> 'O') AS disabled`
  return { ...found }
}

async function act (
  service: ServiceProcess, action: typeof actions[number], pick: <T>(values: readonly T[]) => T
): Promise<void> {
  const { body } = await service.call('GET', '/?status=completed') ?? {}
  const { backups } = body as { backups: Backup[] }
  const target = backups.length === 0 ? undefined : pick(backups)
  if (action === 'restore' && target !== undefined) await service.call('POST', `/${target.id}/restore`, {})
  else if (action === 'delete' && target !== undefined) await service.call('DELETE', `/${target.id}`)
  else if (action === 'close') await service.kill('SIGTERM')
  else await service.call('POST', '/', {})
}

t.test('after a kill at a random moment, the next start repairs log and storage', { timeout: 1_400_000 }, async (t) => {
  const moments = isLong ? 200 : 6
  const random = createRandom()
  t.comment(`TEST_FAULTS_SEED=${random.seed}`)
  const place = await usePlace(t)
  await fill(place)
  for (let moment = 0; moment < moments; moment++) {
    const action = random.pick(actions)
    // A small maximum, so that most backups prune another one
    const compression = random.pick(['none', 'gzip'] as const)
    const options = { maxBackups: action === 'prune' ? 2 : 4, compression }
    const service = startService(t, place, options)
    const where = `seed ${random.seed}, moment ${moment}, ${action}, compression ${compression}`
    try {
      if (action === 'start') {
        await delay(random.below(1200))
        await service.kill('SIGKILL')
        continue
      }
      await service.listening
      await untilConsistent(place)
      t.strictSame(await stateOf(place), { rows: 10_000, generations: 1, keys: 2, disabled: 0 }, where)
      await turn(place, moment)
      const acting = act(service, action, random.pick).catch(() => {})
      await delay(random.below(action === 'restore' ? 1500 : 500))
      await service.kill('SIGKILL')
      await acting
    } catch (error) {
      throw new Error(`${where}: ${String(error)}\n${service.output()}`)
    }
  }
  const last = startService(t, place)
  await last.listening
  await untilConsistent(place)
  const { body } = await last.call('GET', '/?status=completed') ?? {}
  for (const { id } of (body as { backups: Backup[] }).backups) {
    t.match(await last.call('POST', `/${id}/verify`), { status: 200, body: { ok: true } })
  }
  t.match(await last.call('POST', '/', {}), { status: 201 }, `seed ${random.seed}`)
})
