import t from 'tap'
import { createEventHub } from '../../lib/runs/event-hub.ts'
import { useEngine, usePlace, linesBesidesRuns } from '../support/engine.ts'

t.test('listeners are added and removed', async (t) => {
  const seen: string[] = []
  const hub = createEventHub(() => {})
  const listener = ({ id }: { id: string }): void => { seen.push(`on ${id}`) }
  const event = (id: string) => ({ id, schema: 'public' })
  hub.on('restore:started', listener)
  hub.once('restore:started', ({ id }) => { seen.push(`once ${id}`) })
  hub.emit('restore:started', event('a'))
  hub.emit('restore:started', event('b'))
  hub.off('restore:started', listener)
  hub.emit('restore:started', event('c'))
  t.strictSame(seen, ['on a', 'once a', 'on b'])
})

t.test('a listener that throws or rejects is reported, and the other listeners are called', async (t) => {
  const failed: string[] = []
  const hub = createEventHub((event) => { failed.push(event) })
  const seen: string[] = []
  hub.on('restore:started', () => { throw new Error('no') })
  hub.once('restore:started', () => { throw new Error('no') })
  hub.on('restore:started', async () => { throw new Error('no') })
  hub.on('restore:started', ({ id }) => { seen.push(id) })
  hub.emit('restore:started', { id: 'a', schema: 'public' })
  t.strictSame(seen, ['a'])
  await new Promise((resolve) => { setImmediate(resolve) })
  t.strictSame(failed, ['restore:started', 'restore:started', 'restore:started'])
})

t.test('listeners and onProgress callbacks that throw do not fail a run', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const fail = (): void => { throw new Error('hunter2') }
  const reject = async (): Promise<void> => { throw new Error('hunter2') }
  const events = [
    'backup:started', 'backup:progress', 'backup:completed', 'backup:pruned', 'restore:started', 'restore:progress',
    'restore:completed'
  ] as const
  for (const event of events) engine.on(event, fail).on(event, reject)
  const { id } = await engine.create({ onProgress: fail })
  await engine.restore(id, { onProgress: reject })
  t.strictSame((await engine.list()).backups.map(({ status }) => status), ['completed', 'restored'])
  t.match(linesBesidesRuns(engine).find(({ msg }) => !msg.includes('listener')), { msg: /onProgress/ })
  const line = engine.lines.find(({ event }) => event === 'restore:completed')
  t.match(line, { msg: 'a listener of fastify.backup threw' })
  t.notMatch(JSON.stringify(engine.lines), /hunter2/)
  let heard = 0
  const listener = (): void => { heard++ }
  t.equal(engine.off('backup:started', fail).once('backup:started', listener).off('backup:started', listener), engine)
  await engine.create()
  t.equal(heard, 0)
})
