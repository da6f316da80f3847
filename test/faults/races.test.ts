import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { proveBytes } from '../../lib/snapshot/prove-bytes.ts'
import type { Backup } from '../../types/index.ts'
import { type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { untilConsistent } from './invariants.ts'
import { createRandom } from './random.ts'
import { isLong } from './service-process.ts'

/**
 * The possible outcomes of each action during concurrent actions; `done` means that it succeeded with a correct
 * result.
 */
const outcomes = {
  create: ['done', 'FST_BACKUP_BUSY'],
  restore: ['done', 'FST_BACKUP_BUSY', 'FST_BACKUP_NOT_FOUND', 'FST_BACKUP_FILE_GONE'],
  remove: ['done', 'FST_BACKUP_BUSY', 'FST_BACKUP_NOT_FOUND'],
  download: ['done', 'FST_BACKUP_NOT_FOUND', 'FST_BACKUP_FILE_GONE'],
  verify: ['done', 'FST_BACKUP_NOT_FOUND', 'FST_BACKUP_FILE_GONE'],
  pin: ['done', 'FST_BACKUP_NOT_FOUND'],
  import: ['done'],
  prune: ['done'],
  rescan: ['done']
} as const

type Action = keyof typeof outcomes
const actions = Object.keys(outcomes) as Action[]

async function act (
  engine: TestEngine, action: Action, { id, filename, checksum }: Backup, elsewhere: Buffer
): Promise<void> {
  switch (action) {
    case 'create': await engine.create(); break
    case 'restore': await engine.restore(id); break
    case 'remove': await engine.remove(id); break
    case 'verify': {
      const { ok, problems } = await engine.verify(id)
      if (!ok) throw new Error(`${filename}: ${problems.join('; ')}`)
      break
    }
    case 'pin': {
      await engine.update(id, { pinned: true })
      await engine.update(id, { pinned: false })
      break
    }
    case 'import': await engine.import(Readable.from([elsewhere])); break
    case 'prune': await engine.prune(); break
    case 'rescan': await engine.rescan(); break
    case 'download': {
      const { stream } = await engine.download(id)
      // Throws at the end unless the checksum proves the bytes
      for await (const chunk of proveBytes(stream, String(checksum))) {
        if (chunk.length === 0) throw new Error(`${filename}: a chunk is empty`)
        // Makes the download outlast the other actions
        await delay(2)
      }
    }
  }
}

t.test('each of several concurrent calls of replicas is completed or refused', { timeout: 600_000 }, async (t) => {
  const random = createRandom()
  t.comment(`TEST_FAULTS_SEED=${random.seed}`)
  const place = await usePlace(t)
  const { sql } = place
  await sql`CREATE TABLE ledger AS
    SELECT i AS id, 0 AS generation, repeat('x', 200) AS filler FROM generate_series(1, 5000) AS i`
  const replicas = Array.from({ length: 4 }, () => useEngine(t, place, { worker: false, maxBackups: 4 }))
  const [first] = replicas as [TestEngine]
  const seen = new Set<string>()
  const { filename } = await first.create()
  const elsewhere = await readFile(join(place.directory, filename))

  for (let round = 0; round < (isLong ? 150 : 25); round++) {
    await sql`UPDATE ledger SET generation = ${round}`
    const { backups } = await first.list({ status: 'completed' })
    const target = backups.length === 0 ? await first.create() : random.pick(backups)
    const chosen = replicas.map((engine) => ({ engine, action: random.pick(actions), waitMs: random.below(40) }))
    const where = `seed ${random.seed}, round ${round}: ${chosen.map(({ action }) => action).join(', ')}`
    await Promise.all(chosen.map(async ({ engine, action, waitMs }) => {
      await delay(waitMs)
      const outcome = await act(engine, action, target, elsewhere).then(
        () => 'done', (error) => String(error.code ?? error)
      )
      seen.add(`${action}: ${outcome}`)
      t.ok((outcomes[action] as readonly string[]).includes(outcome), `${where}: ${action} came to ${outcome}`)
    }))
    await untilConsistent(place)
    t.strictSame(
      [...await sql`SELECT count(*)::int AS rows, count(DISTINCT generation)::int AS generations FROM ledger`],
      [{ rows: 5000, generations: 1 }],
      where
    )
  }
  for (const { id } of (await first.list()).backups.filter(({ available }) => available)) {
    t.strictSame(await first.verify(id), { ok: true, problems: [] })
  }
  t.comment([...seen].sort().join(', '))
})
