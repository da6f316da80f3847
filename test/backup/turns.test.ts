import t from 'tap'
import { Turns } from '../../lib/backup/turns.ts'

t.test('a range gets its turn when the one before it has ended', async (t) => {
  const turns = new Turns()
  t.equal(turns.take(0), undefined)
  const passed: number[] = []
  const second = turns.take(1)?.then(() => { passed.push(1) })
  const third = turns.take(2)?.then(() => { passed.push(2) })
  t.strictSame(passed, [])
  turns.end(0)
  await second
  t.strictSame(passed, [1])
  turns.end(1)
  await third
  turns.end(2)
  t.equal(turns.take(3), undefined)
  t.strictSame(passed, [1, 2])
})

t.test('after a failure no range gets its turn, and the first failure counts', async (t) => {
  const turns = new Turns()
  const waiting = turns.take(1)
  const first = new Error('first')
  turns.fail(first)
  turns.fail(new Error('second'))
  t.equal(await waiting?.catch((error: unknown) => error), first)
  t.equal(turns.error, first)
  t.throws(() => turns.take(0), first)
})
