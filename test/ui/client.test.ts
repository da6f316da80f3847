import t from 'tap'
import type { Backup, Status } from '../../types/index.ts'
import { actOnEach } from '../../ui/src/client/bulk-action.ts'
import { contentTypeOf } from '../../ui/src/client/content-type.ts'
import { Loader } from '../../ui/src/client/loader.ts'
import { oneAtATime } from '../../ui/src/client/pace.ts'
import { SchemaPages } from '../../ui/src/client/schema-pages.ts'
import { toFreshness } from '../../ui/src/parts/freshness.ts'

const aborted = (): DOMException => new DOMException('Aborted', 'AbortError')

t.test('the content type of an import follows from the name of the file', async (t) => {
  t.strictSame(['a.json', 'a.json.gz', 'A.JSON.ZST', 'gz'].map(contentTypeOf),
    ['application/json', 'application/gzip', 'application/zstd', 'application/json'])
})

t.test('an action on several goes on after a failure, and stops after the request in flight', async (t) => {
  const stopping = new AbortController()
  const begun: number[] = []
  const failure = new Error('refused')
  const result = await actOnEach(['a', 'b', 'c', 'd', 'e'], {
    async act (item) {
      if (item === 'a') throw failure
      if (item === 'c') stopping.abort()
    },
    onItem: (number) => { begun.push(number) },
    signal: stopping.signal
  })
  t.strictSame(begun, [1, 2, 3])
  t.strictSame(result, { done: ['b', 'c'], failed: [{ item: 'a', error: failure }], left: ['d', 'e'] })
})

t.test('what was aborted is not reported as failed', async (t) => {
  const { signal } = new AbortController()
  const result = await actOnEach(['a'], { act: () => Promise.reject(aborted()), onItem () {}, signal })
  t.strictSame(result, { done: [], failed: [], left: ['a'] })
})

t.test('a task runs once at a time, and once more after calls in between', async (t) => {
  const ends: Array<() => void> = []
  const run = oneAtATime(() => new Promise<void>((resolve) => { ends.push(resolve) }))
  const first = run()
  const second = run()
  t.equal(run(), second, 'further calls share the run that follows')
  t.not(first, second)
  t.equal(ends.length, 1)
  ends[0]?.()
  await first
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(ends.length, 2)
  const third = run()
  t.not(third, second, 'the second run began before this call')
  ends[1]?.()
  await second
  await new Promise((resolve) => { setImmediate(resolve) })
  ends[2]?.()
  await third
  t.equal(ends.length, 3)
})

t.test('content is kept when it cannot be loaded again, and dropped with its subject', async (t) => {
  const changes: Array<() => void> = []
  const loader = new Loader<string>(() => { changes.shift()?.() })
  const after = async (act: () => void): Promise<void> => {
    await new Promise<void>((resolve) => {
      changes.push(resolve)
      act()
    })
  }
  const want = (subject: string, version: string, answer: () => Promise<string>): Promise<void> =>
    after(() => { loader.want({ subject, version, load: answer }) })
  await want('a', '1', async () => 'first')
  t.strictSame([loader.content, loader.error], ['first', null])
  const failure = new Error('no answer')
  await want('a', '2', () => Promise.reject(failure))
  t.strictSame([loader.content, loader.error], ['first', failure])
  loader.want({ subject: 'a', version: '2', load: async () => { throw new Error('it was loaded again') } })
  await after(() => { loader.retry() })
  t.strictSame([loader.content, loader.error], ['first', failure], 'until it is wanted again')
  await want('a', '2', async () => 'second')
  t.strictSame([loader.content, loader.error], ['second', null])
  const signals: AbortSignal[] = []
  loader.want({
    subject: 'b',
    version: '2',
    load (signal) {
      signals.push(signal)
      return new Promise(() => {})
    }
  })
  t.equal(loader.content, null)
  await want('c', '2', async () => 'third')
  t.equal(signals[0]?.aborted, true)
  t.equal(loader.content, 'third')
})

const backup = (schema: string, changes: Partial<Backup> = {}): Backup => {
  const common = { trigger: 'scheduled', available: true, suspect: null, accepted: false } as const
  return { ...common, schema, startedAt: '2026-11-27T02:00:00.000Z', ...changes } as Backup
}

t.test('the newest backups of all pages of the status are listed, and kept for a while', async (t) => {
  const page = (schemas: string[], newestNext: string | null): Status =>
    ({
      newest: schemas.map((schema) => backup(schema)),
      newestGood: schemas.map((schema) => ({ schema, backup: null })),
      newestNext
    }) as Status
  const asked: string[] = []
  const pages = new SchemaPages(async (after) => {
    asked.push(after)
    return after === 'b' ? page(['c', 'd'], 'd') : page(['e'], null)
  })
  const schemas = async (status: Status): Promise<string[]> => {
    const { newest, newestGood } = await pages.complete(status)
    const names = newest.map(({ schema }) => schema)
    t.strictSame(newestGood.map(({ schema }) => schema), names)
    return names
  }
  t.strictSame(await schemas(page(['a', 'b'], 'b')), ['a', 'b', 'c', 'd', 'e'])
  t.strictSame(await schemas(page(['a', 'b'], 'b')), ['a', 'b', 'c', 'd', 'e'])
  t.strictSame(asked, ['b', 'd'])
  t.strictSame(await schemas(page(['a'], null)), ['a'])
  pages.forget()
  await schemas(page(['a', 'b'], 'b'))
  t.strictSame(asked, ['b', 'd', 'b', 'd'])
})

t.test('a fresh schema does not hide a stale one', async (t) => {
  const stale = backup('stale', { startedAt: '2026-11-20T02:00:00.000Z' })
  const old = backup('once', { startedAt: '2020-01-01T00:00:00.000Z', trigger: 'manual' })
  const good = (...backups: Backup[]): Pick<Status, 'newest' | 'newestGood'> =>
    ({ newest: backups, newestGood: backups.map((backup) => ({ schema: backup.schema, backup })) })
  const freshness = toFreshness(good(backup('fresh'), old, stale))
  t.strictSame(freshness, { schemas: 2, withoutGood: [], stalest: stale })
  t.strictSame(toFreshness(good(old)), { schemas: 1, withoutGood: [], stalest: old })
  t.strictSame(toFreshness(good()), { schemas: 0, withoutGood: [], stalest: null })
  const damaged = backup('damaged')
  const cloned = backup('cloned', { trigger: 'manual' })
  const status = {
    newest: [damaged, cloned],
    newestGood: [{ schema: 'damaged', backup: null }, { schema: 'cloned', backup: stale }]
  }
  t.strictSame(toFreshness(status), { schemas: 2, withoutGood: ['damaged'], stalest: stale })
})
