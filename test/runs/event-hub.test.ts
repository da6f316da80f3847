import t from 'tap'
import { createEventHub } from '../../lib/runs/event-hub.ts'
import { useEngine, usePlace } from '../support/engine.ts'

t.test('listeners come and go', async (t) => {
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

t.test('a listener that throws or rejects is told, and keeps nobody from hearing', async (t) => {
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

t.test('no listener and no onProgress harms a run', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const fail = (): void => { throw new Error('hunter2') }
  const reject = async (): Promise<void> => { throw new Error('hunter2') }
  for (const event of ['backup:started', 'backup:progress', 'backup:completed', 'backup:pruned', 'restore:started', 'restore:progress', 'restore:completed'] as const) engine.on(event, fail).on(event, reject)
  const { id } = await engine.create({ onProgress: fail })
  await engine.restore(id, { onProgress: reject })
  t.match(await engine.list(), { backups: [{ status: 'completed' }, { status: 'restored' }] })
  t.match(engine.lines.map(({ msg }) => msg).filter((msg) => !msg.includes('listener')).at(0), /onProgress/)
  t.match(engine.lines.find(({ event }) => event === 'restore:completed'), { msg: 'a listener of fastify.backup threw' })
  t.notMatch(JSON.stringify(engine.lines), /hunter2/)
  let heard = 0
  const listener = (): void => { heard++ }
  t.equal(engine.off('backup:started', fail).once('backup:started', listener).off('backup:started', listener), engine)
  await engine.create()
  t.equal(heard, 0)
})
