import { once } from 'node:events'
import { Readable } from 'node:stream'
import t from 'tap'
import type { Page } from 'playwright-core'
import { testSchema } from '../support/database.ts'
import { usePlace } from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import { until } from '../support/until.ts'
import { openPage, openSnapshot, type SlowPlace, testPage, useService, useSlowPlace } from './admin-page.ts'

const runsOf = (page: Page) => page.getByRole('region', { name: 'Running now' })

/** The progress of a backup, whether its totals are known or not. */
const someProgress = /users,\s+table 2 of\s+2 · /

async function useReplicas (t: Parameters<typeof useService>[0], place: SlowPlace) {
  const one = await useService(t, { place })
  const other = await useService(t, { place: { ...place, url: place.directUrl } })
  return { one, other }
}

testPage('a run that another tab began is seen with its progress, also after the page was reopened', async (t) => {
  const place = await useSlowPlace(t)
  const { address } = await useService(t, { place })
  const watching = await openPage(t, address)
  const tab = await openPage(t, address)
  await tab.getByRole('button', { name: 'Create snapshot…' }).click()
  await tab.getByRole('button', { name: 'Create', exact: true }).click()
  await runsOf(watching).getByText(someProgress).waitFor()
  await runsOf(tab).waitFor()
  await tab.close()
  const reopened = await openPage(t, address)
  await runsOf(reopened).getByText(someProgress).waitFor()
  place.hurry()
  for (const page of [watching, reopened]) {
    await page.getByText(`Snapshot of “${testSchema}” completed.`).waitFor()
    await runsOf(page).waitFor({ state: 'detached' })
    await openSnapshot(page)
    await page.getByText('completed', { exact: true }).waitFor()
  }
})

testPage('a restore on another replica is seen with its progress and its outcome', async (t) => {
  const place = await useSlowPlace(t)
  const { one, other } = await useReplicas(t, place)
  const { id } = await other.app.backup.create()
  await place.sql`DELETE FROM users WHERE id > 50000`
  const page = await openPage(t, other.address, { hash: `#/snapshots/${id}` })
  const restored = one.app.backup.restore(id)
  await runsOf(page).getByText(`Restoring ${testSchema}`).waitFor()
  await runsOf(page).getByText('Taking a snapshot').waitFor()
  await page.getByRole('button', { name: 'Restore…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('The restore is running.').waitFor()
  place.hurry()
  await restored
  await dialog.getByText('60,005 rows in 2 tables, in').waitFor()
})

testPage('without the event stream, the same is seen by polling', async (t) => {
  const place = await useSlowPlace(t)
  const { app, address } = await useService(t, {
    place,
    before: (app) => app.addHook('onRequest', async ({ url }) => {
      if (url.endsWith('/events')) throw Object.assign(new Error('Not here'), { statusCode: 404 })
    })
  })
  const page = await openPage(t, address, { expected: /status of 404/ })
  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  const started = once(app.backup as never, 'backup:started')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await started
  await runsOf(page).getByText(someProgress).waitFor()
  place.hurry()
  await page.getByText(`Snapshot of “${testSchema}” completed.`).waitFor()
  await runsOf(page).waitFor({ state: 'detached' })

  await openSnapshot(page)
  await page.getByRole('button', { name: 'Restore…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel(`Type ${testSchema} to confirm`).fill(testSchema)
  await dialog.getByRole('button', { name: /^Replace the rows/ }).click()
  await dialog.getByText('The rows are restored').waitFor()
  await dialog.getByRole('button', { name: /^Undo/ }).waitFor()
})

testPage('the event stream is followed again after it was lost', async (t) => {
  const place = await useSlowPlace(t)
  let isLost = false
  const streams: Array<{ destroy: () => void }> = []
  const { app, address } = await useService(t, {
    place: { ...place, url: place.directUrl },
    before: (app) => app.addHook('onRequest', async ({ url, raw }) => {
      if (!url.endsWith('/events')) return
      if (isLost) throw Object.assign(new Error('Too many'), { statusCode: 429 })
      streams.push(raw)
    })
  })
  await app.backup.create()
  const page = await openPage(t, address, { expected: /status of 429|ERR_/, hash: '#/snapshots' })
  const rows = page.locator('table.snapshots tbody tr')
  await rows.first().waitFor()
  await until(() => streams.length === 1)
  isLost = true
  for (const stream of streams.splice(0)) stream.destroy()
  const refused = page.waitForResponse((response) => response.url().endsWith('/events') && response.status() === 429)
  await refused
  // Its events are over when the stream comes back
  await app.backup.create()
  isLost = false
  await page.waitForResponse((response) => response.url().endsWith('/events') && response.ok())
  await rows.nth(1).waitFor()
  await app.backup.create()
  await page.getByText(`Snapshot of “${testSchema}” completed.`).waitFor()
})

testPage('a hidden page does not poll, and reloads when it is shown', async (t) => {
  const { app, address } = await useService(t, {
    before: (app) => app.addHook('onRequest', async ({ url }) => {
      if (url.endsWith('/events')) throw Object.assign(new Error('Not here'), { statusCode: 404 })
    })
  })
  await app.backup.create()
  const page = await openPage(t, address, {
    expected: /status of 404/, hash: '#/snapshots', prepare: (page) => page.clock.install()
  })
  const rows = page.locator('table.snapshots tbody tr')
  await rows.first().waitFor()
  const show = async (isHidden: boolean): Promise<void> => {
    await page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))`)
  }
  await app.backup.create()
  await page.clock.runFor(31_000)
  await page.clock.runFor(1000)
  await rows.nth(1).waitFor()

  // Hidden while the status is requested, whose answer must not lead to another poll
  const gate = createGate()
  await page.route('**/status?*', async (route) => {
    await gate.pass()
    await route.continue()
  })
  await page.clock.runFor(32_000)
  await gate.reached
  await show(true)
  const answered = page.waitForResponse(/\/status\?/)
  gate.open()
  await (await answered).finished()
  let requests = 0
  page.on('request', (request) => { if (request.url().includes('/status')) requests++ })
  await app.backup.create()
  await page.clock.runFor(200_000)
  t.equal(requests, 0)
  await show(false)
  await page.clock.runFor(1000)
  await rows.nth(2).waitFor()
})

testPage('a verification shows how far it is, and its verdict is kept when the page is left', async (t) => {
  const place = await usePlace(t)
  await place.sql`INSERT INTO users (name) SELECT repeat('x', 100) FROM generate_series(1, 60000)`
  const gate = createGate()
  // Delivers 4 MB of each file at once, and the rest later
  const storage = storageWith(place.directory, {
    async open (storage, name, range) {
      const file = await storage.open(name, range)
      return Readable.from((async function * () {
        let bytes = 0
        for await (const chunk of file) {
          if (bytes > 4_000_000) await gate.pass()
          bytes += chunk.length
          yield chunk
        }
      })())
    }
  })
  const { app, address } = await useService(t, { place, options: { storage } })
  const { id, sizeBytes } = await app.backup.create()
  t.ok(sizeBytes > 6_000_000)
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  await page.getByRole('button', { name: 'Verify' }).click()
  await page.getByText(/^[34](?:\.\d)? MB of 7\.\d MB · [45]\d%/).waitFor()
  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  gate.open()
  await until(async () => (await app.backup.get(id)).verification?.ok === true)
})

testPage('a plan shows how far the counting is', async (t) => {
  const gate = createGate()
  const { app, address, sql } = await useService(t, {
    before: (app) => app.addHook('onSend', async ({ url }, _reply, events) => {
      if (!url.endsWith('/plan') || !(events instanceof Readable)) return events
      return Readable.from((async function * () {
        for await (const event of events) {
          if (String(event).includes('completed')) await gate.pass()
          yield event
        }
      })())
    })
  })
  const { id } = await app.backup.create()
  await sql`ANALYZE`
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  await page.getByRole('button', { name: 'Restore…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('orders, table 1 of 2 · 0% · 0 rows').waitFor()
  await dialog.getByText('Counting the present rows…').waitFor()
  gate.open()
  await dialog.getByText('Counted at').waitFor()
})

t.end()
