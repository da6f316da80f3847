import { tracingChannel } from 'node:diagnostics_channel'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { traceRun } from '../../lib/runs/trace-run.ts'
import type { RunTrace, TracedRun } from '../../types/index.ts'
import { testSchema } from '../support/database.ts'
import { eventNames, useEngine, usePlace } from '../support/engine.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { until } from '../support/until.ts'

type Message = [name: TracedRun, event: string, context: RunTrace]

const names: TracedRun[] = ['create', 'restore', 'verify', 'import', 'prune']

/** The messages of all channels, each with a copy of its context. Runs of other tests of the process are left out. */
function useTraces (t: Test, isOurs: (trace: RunTrace) => boolean = () => true): Message[] {
  const messages: Message[] = []
  for (const name of names) {
    const record = (event: string) => (context: object) => {
      const trace = { ...context } as RunTrace
      if (isOurs(trace)) messages.push([name, event, trace])
    }
    const subscribers = {
      start: record('start'),
      end: record('end'),
      asyncStart: record('asyncStart'),
      asyncEnd: record('asyncEnd'),
      error: record('error')
    }
    const channel = tracingChannel(`fastify-backup.${name}`)
    channel.subscribe(subscribers)
    t.after(async () => { channel.unsubscribe(subscribers) })
  }
  return messages
}

const ended = (messages: Message[]): Array<[TracedRun, RunTrace]> =>
  messages.filter(([, event]) => event === 'asyncEnd').map(([name, , trace]) => [name, trace])

t.test('each run is reported with its counts', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 2 })
  const messages = useTraces(t)
  const backup = await engine.create()
  const { id, sizeBytes, filename } = backup
  t.strictSame(messages.map(([name, event]) => `${name} ${event}`), [
    'create start', 'create end', 'prune start', 'prune end', 'prune asyncStart', 'prune asyncEnd',
    'create asyncStart', 'create asyncEnd'
  ])
  t.strictSame(messages[0]?.[2], { id, schema: testSchema, trigger: 'manual' })
  const counts = { tableCount: 2, rowCount: 5, sizeBytes }
  const trace = { id, schema: testSchema, trigger: 'manual' as const }
  t.strictSame(ended(messages), [
    ['prune', { ...trace, result: { removedCount: 0 } }], ['create', { ...trace, result: counts }]
  ])

  messages.length = 0
  await engine.verify(id)
  const restored = await engine.restore(id)
  const imported = await engine.import(Readable.from([await readFile(join(place.directory, filename))]))
  await engine.prune()
  t.strictSame(ended(messages), [
    ['verify', { ...trace, result: { problemCount: 0 } }],
    ['prune', { id: restored.preRestoreId, schema: testSchema, trigger: 'pre_restore', result: { removedCount: 0 } }],
    ['restore', { ...trace, result: { tableCount: 2, rowCount: 5 } }],
    ['prune', { id: imported.id, schema: testSchema, trigger: 'import', result: { removedCount: 0 } }],
    ['import', { id: imported.id, schema: testSchema, trigger: 'import', result: counts }],
    ['prune', { id: null, schema: testSchema, trigger: 'manual', result: { removedCount: 0 } }]
  ])

  messages.length = 0
  for (let count = 0; count < 3; count++) await engine.create()
  const removed = ended(messages).reduce((sum, [, { result }]) => sum + (result?.removedCount ?? 0), 0)
  t.ok(removed > 0)
  t.equal(removed, eventNames(engine).filter((name) => name === 'backup:pruned').length)
})

t.test('a failed run is reported with its public error', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  await writeFile(join(place.directory, filename), '{}')
  const messages = useTraces(t)
  await t.rejects(engine.restore(id), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
  await t.rejects(engine.import(Readable.from(['{}'])), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
  await t.rejects(engine.create({ schema: 'nowhere' }), { code: 'FST_BACKUP_SCHEMA_NOT_FOUND' })
  const errors = messages.filter(([, event]) => event === 'error')
  t.strictSame(errors.map(([name, , { error, schema }]) => [name, schema, error && 'code' in error && error.code]), [
    ['restore', testSchema, 'FST_BACKUP_SNAPSHOT_INVALID'],
    ['import', null, 'FST_BACKUP_SNAPSHOT_INVALID'],
    ['create', 'nowhere', 'FST_BACKUP_SCHEMA_NOT_FOUND']
  ])
})

t.test('scheduled runs are reported', async (t) => {
  const place = await usePlace(t)
  const clock = createManualClock(new Date().toISOString())
  const messages = useTraces(t)
  const engine = useEngine(t, place, { schedule: { enabled: true, cron: '*/5 * * * *' } }, clock)
  engine.start()
  await until(async () => {
    await clock.advance(60_000)
    return ended(messages).some(([name]) => name === 'create')
  })
  t.match(ended(messages).find(([name]) => name === 'create')?.[1], {
    schema: testSchema, trigger: 'scheduled', result: { rowCount: 5 }
  })
})

t.test('an error that is no public one is reported as one, and its cause is not shown', async (t) => {
  const messages = useTraces(t)
  const context = { id: null, schema: 'a', trigger: 'manual' } as const
  const failing = traceRun('prune', { context, summarize: () => ({}) }, async () => { throw new TypeError('hunter2') })
  await t.rejects(failing, { code: 'FST_BACKUP_UNEXPECTED' })
  const error = messages.find(([, event]) => event === 'error')?.[2].error
  t.match(error, { code: 'FST_BACKUP_UNEXPECTED' })
  t.notMatch(`${error?.stack} ${error?.cause}`, 'hunter2')
})

t.test('a run that another replica has done is no error, and has no result', async (t) => {
  const messages = useTraces(t)
  const skipped = new Error('skipped')
  const context = { id: null, schema: 'a', trigger: 'scheduled' } as const
  await t.rejects(traceRun('create', {
    context: { ...context }, summarize: () => ({}), isSkipped: (error) => error === skipped
  }, async () => { throw skipped }), skipped)
  t.strictSame(messages.map(([, event]) => event), ['start', 'end', 'asyncStart', 'asyncEnd'])
  t.equal(messages.at(-1)?.[2].result, undefined)
})
