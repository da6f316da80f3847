import t from 'tap'
import { shutdownMs, within } from '../lib/shutdown.ts'

const never = new Promise(() => {})

t.test('the steps of a shutdown take less than 5 s together', async (t) => {
  const total = Object.values(shutdownMs).reduce((sum, ms) => sum + ms, 0)
  t.ok(total < 5000, `${total} ms`)
})

t.test('within() resolves with the work', async (t) => {
  t.equal(await within(2 ** 31 - 1, Promise.resolve()), undefined)
})

t.test('within() resolves after the given time when the work does not end', async (t) => {
  t.equal(await within(1, never), undefined)
})

t.test('within() rejects when the work does', async (t) => {
  await t.rejects(within(1000, Promise.reject(new Error('the work failed'))), { message: 'the work failed' })
})
