import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Page } from 'playwright-core'
import { testSchema, useDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { createShop, usePlace } from '../support/engine.ts'
import { storageHoldingSecond, storageWith } from '../support/storage-double.ts'
import { openPage, testPage, useService } from './admin-page.ts'

const dialogOf = (page: Page) => page.getByRole('dialog')
const replaceOf = (page: Page) => dialogOf(page).getByRole('button', { name: /^Replace the rows/ })

async function openPlan (page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Restore…' }).click()
  await dialogOf(page).getByText('Counted at').waitFor()
}

async function confirm (page: Page, schema = testSchema): Promise<void> {
  await dialogOf(page).getByLabel(`Type ${schema} to confirm`).fill(schema)
  await replaceOf(page).click()
}

testPage('two restores of one snapshot into two schemas at the same time are told apart', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'other')
  const { storage, publishing } = storageHoldingSecond(place.directory)
  const { app, address } = await useService(t, { place, options: { storage } })
  const { id } = await app.backup.create()
  await place.sql`DELETE FROM orders`
  await place.sql`TRUNCATE other.users, other.orders`
  const [one, two] = await Promise.all([1, 2].map(() => openPage(t, address, { hash: `#/snapshots/${id}` }))) as
    [Page, Page]
  await openPlan(one)
  await confirm(one)
  await publishing.reached
  const runsOf = (page: Page) => page.getByRole('region', { name: 'Running now' })
  await runsOf(two).getByText(`Restoring ${testSchema}`).waitFor()

  await two.getByRole('button', { name: 'Restore…' }).click()
  await dialogOf(two).getByText('The restore is running.').waitFor()
  await two.keyboard.press('Escape')
  await app.backup.restore(id, { schema: 'other' })
  await two.getByText('Restore of “other” completed.').waitFor()
  await dialogOf(one).getByText('The restore is running.').waitFor()
  await runsOf(two).getByText(`Restoring ${testSchema}`).waitFor()
  publishing.open()
  await dialogOf(one).getByText('5 rows in 2 tables, in').waitFor()
  await two.getByText(`Restore of “${testSchema}” completed.`).waitFor()
  await runsOf(two).waitFor({ state: 'detached' })
  const restores = two.getByRole('region', { name: 'Restores' }).getByRole('listitem')
  await restores.nth(1).filter({ hasText: 'completed' }).waitFor()
  const texts = await restores.allInnerTexts()
  t.match(texts[0], /^completed into other, /)
  t.match(texts[1], new RegExp(`^completed into ${testSchema}, .*by ada@example.com · took `, 's'))
  t.equal(texts.length, 2)
})

testPage('every restore is listed, and what to do after one that failed', async (t) => {
  const { app, address, sql } = await useService(t)
  await sql`INSERT INTO users (name) VALUES ('Ada')`
  const { id } = await app.backup.create()
  const { preRestoreId } = await app.backup.restore(id, { actor: 'ada@example.com' })
  await sql`DELETE FROM users WHERE id = 3`
  await sql`CREATE UNIQUE INDEX ON users (name)`
  await t.rejects(app.backup.restore(id), { code: 'FST_BACKUP_RESTORE_FAILED' })
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  const remedy = 'Correct the rows or the constraint that the message names, then try again.'
  const failure = page.locator('.message.bad')
  await failure.getByText(`The last restore failed, into ${testSchema}`).waitFor()
  await failure.getByText(remedy).waitFor()
  const restores = page.getByRole('region', { name: 'Restores' })
  await restores.getByRole('heading', { name: '2 restores' }).waitFor()
  const [failed, completed] = await restores.getByRole('listitem').allInnerTexts()
  t.match(failed, /^failed into .*users_name_idx.*Correct the rows/s)
  t.match(completed, /^completed into .*by ada@example\.com/s)
  const before = restores.getByRole('link', { name: 'The snapshot of the rows before' }).nth(1)
  t.equal(await before.getAttribute('href'), `#/snapshots/${preRestoreId}`)
})

testPage('a run that failed says what to do', async (t) => {
  const place = await usePlace(t)
  const storage = storageWith(place.directory, {
    async publish () { throw Object.assign(new Error('full'), { code: 'ENOSPC' }) }
  })
  const { app, address } = await useService(t, { place, options: { storage } })
  await t.rejects(app.backup.create())
  const { backups: [failed] } = await app.backup.list()
  const page = await openPage(t, address, { hash: `#/snapshots/${failed?.id}` })
  await page.getByRole('heading', { name: 'The run failed' }).waitFor()
  await page.getByText('Check that the storage can be reached and written to, then try again.').waitFor()
})

testPage('a missing privilege is shown as what it is, and cannot be skipped', async (t) => {
  const { ownerUrl, url, sql } = await useDatabase(t, { owner: 'plain' })
  await createShop({ url, sql }, testSchema)
  const role = new URL(ownerUrl).username
  await sql.unsafe(`ALTER TABLE users OWNER TO ${role}; ALTER TABLE orders OWNER TO ${role};
    GRANT USAGE, CREATE ON SCHEMA ${testSchema} TO ${role}`)
  const place = { url: ownerUrl, sql, directory: await useDirectory(t) }
  const { app, address } = await useService(t, { place })
  const { id } = await app.backup.create()
  await sql.unsafe(`ALTER TABLE orders OWNER TO CURRENT_USER; GRANT SELECT ON orders TO ${role}`)
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  await openPlan(page)
  const dialog = dialogOf(page)
  await dialog.getByRole('heading', { name: 'The snapshot cannot be restored now' }).waitFor()
  await dialog.getByRole('listitem').filter({ hasText: 'orders' }).first().waitFor()
  t.equal(await dialog.getByText('The schema has changed since the snapshot').count(), 0)
  t.equal(await dialog.getByLabel('Skip what no longer exists').count(), 0)
  await dialog.getByLabel(`Type ${testSchema} to confirm`).fill(testSchema)
  t.ok(await replaceOf(page).isDisabled())
  await sql.unsafe(`ALTER TABLE orders OWNER TO ${role}`)
  await dialog.getByRole('button', { name: 'Count again' }).click()
  await dialog.getByRole('heading', { name: 'The snapshot cannot be restored now' }).waitFor({ state: 'detached' })
  t.ok(await replaceOf(page).isEnabled(), 'what was typed is kept')
})

testPage('the rows can be counted again, and are before a restore whose plan is old', async (t) => {
  const { app, address, sql } = await useService(t)
  const { id } = await app.backup.create()
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  await openPlan(page)
  const change = async (): Promise<string | undefined> =>
    (await dialogOf(page).getByRole('row').filter({ hasText: 'orders' }).getByRole('cell').allInnerTexts())[3]
  t.equal(await change(), '0')
  await sql`DELETE FROM orders WHERE id = 1`
  await dialogOf(page).getByRole('button', { name: 'Count again' }).click()
  await dialogOf(page).getByRole('row').filter({ hasText: 'orders' }).filter({ hasText: '+1' }).waitFor()

  await sql`DELETE FROM orders WHERE id = 2`
  await page.clock.setSystemTime(Date.now() + 3 * 60_000)
  await confirm(page)
  await dialogOf(page).getByText('the rows were counted again, and the plan has changed').waitFor()
  t.equal(await change(), '+2')
  t.ok(await replaceOf(page).isDisabled(), 'the name is asked for again')
  t.equal((await sql`SELECT FROM orders`).length, 1)
  await page.clock.setSystemTime(Date.now() + 6 * 60_000)
  await confirm(page)
  await dialogOf(page).getByText('5 rows in 2 tables, in').waitFor()
})

testPage('a plan says what its snapshot lacks, and what is missing for a restore', async (t) => {
  const { app, address, sql } = await useService(t)
  await sql`INSERT INTO users (name) SELECT 'x' FROM generate_series(1, 200)`
  const { id } = await app.backup.create({ excludeTables: ['orders'] })
  const { preRestoreId } = await app.backup.restore(id)
  await app.backup.create()
  await sql`DELETE FROM users WHERE id > 10`
  const { id: suspect } = await app.backup.create()
  const page = await openPage(t, address, { expected: /status of 4\d\d/ })
  for (const [snapshot, text] of [
    [id, 'This snapshot is partial'],
    [preRestoreId, 'This snapshot was taken before a restore'],
    [suspect, 'This snapshot is suspect']
  ]) {
    await page.evaluate(`location.hash = '#/snapshots/${snapshot}'`)
    await page.getByText(String(snapshot), { exact: true }).waitFor()
    await openPlan(page)
    await dialogOf(page).getByText(String(text)).waitFor()
    await page.keyboard.press('Escape')
  }
  await openPlan(page)
  await dialogOf(page).getByLabel('Restore orders').uncheck()
  await dialogOf(page).getByRole('button', { name: 'Replace the rows of 1 table' }).waitFor()
  await dialogOf(page).locator('thead input:indeterminate').waitFor()
  await dialogOf(page).getByLabel('Restore users').uncheck()
  await dialogOf(page).getByText('Select a table.').waitFor()
  await dialogOf(page).getByLabel('Into schema').fill('unknown')
  await dialogOf(page).getByLabel('Into schema').press('Enter')
  await dialogOf(page).locator('footer').getByRole('button', { name: 'Try again' }).waitFor()
  await dialogOf(page).getByRole('alert').filter({ hasText: 'unknown' }).waitFor()
  t.equal(await dialogOf(page).getByLabel('to confirm').count(), 0)
})

testPage('a restore that the schema of now refuses leads to a new plan', async (t) => {
  const { app, address, sql, directory } = await useService(t)
  const { id, filename, sizeBytes } = await app.backup.create()
  const page = await openPage(t, address, { hash: `#/snapshots/${id}`, expected: /status of 4\d\d/ })
  await openPlan(page)
  await sql`ALTER TABLE orders RENAME TO moved`
  await confirm(page)
  await dialogOf(page).getByRole('heading', { name: 'The restore failed, and nothing has changed' }).waitFor()
  await dialogOf(page).getByText('Change the schema back, or skip what no longer exists.').waitFor()
  await dialogOf(page).getByRole('button', { name: 'Back to the plan' }).click()
  await dialogOf(page).getByRole('heading', { name: 'The schema has changed since the snapshot' }).waitFor()
  await sql`ALTER TABLE moved RENAME TO orders`
  await truncate(join(directory, filename), sizeBytes - 20)
  await dialogOf(page).getByRole('button', { name: 'Count again' }).click()
  await dialogOf(page).getByRole('heading', { name: 'The schema has changed' }).waitFor({ state: 'detached' })
  await confirm(page)
  await dialogOf(page).getByText('The file is damaged. Restore another snapshot.').waitFor()
})

testPage('one call that is refused by mistake closes no dialog, and loses nothing that was typed', async (t) => {
  const refusals = { update: 0, status: 0 }
  const { app, address } = await useService(t, {
    before: (app) => app.addHook('onRequest', async ({ method, url }) => {
      const isRefused = method === 'PATCH' ? refusals.update-- > 0 : url.includes('/status') && refusals.status-- > 0
      if (isRefused) throw Object.assign(new Error('Not this time'), { statusCode: method === 'PATCH' ? 401 : 403 })
    })
  })
  const { id } = await app.backup.create()
  const page = await openPage(t, address, { hash: `#/snapshots/${id}`, expected: /status of 40[13]/ })
  await page.getByRole('button', { name: 'Note…' }).click()
  const note = dialogOf(page).getByRole('textbox', { name: 'Note' })
  await note.fill('Before the price change')
  Object.assign(refusals, { update: 1, status: 1 })
  const answerOfStatus = (status: number) =>
    page.waitForResponse((response) => response.url().includes('/status') && response.status() === status)
  // One that was requested before may arrive first
  const answered = answerOfStatus(403).then(() => answerOfStatus(200))
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await dialogOf(page).getByRole('alert').getByText('Not this time. The service refused it, and nothing has changed.')
    .waitFor()
  await answered
  t.ok(refusals.status <= 0, 'the status was refused, too')
  t.equal(await note.inputValue(), 'Before the price change')
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await dialogOf(page).waitFor({ state: 'detached' })
  t.equal((await app.backup.get(id)).note, 'Before the price change')
})

testPage('without an answer, each dialog says what is not known', async (t) => {
  const { app, address } = await useService(t)
  const { id } = await app.backup.create()
  const page = await openPage(t, address, {
    hash: `#/snapshots/${id}`,
    expected: /ERR_FAILED/,
    prepare: async (page) => {
      await page.route(/\/admin\/backup\/[^/]*$/, (route) =>
        ['PATCH', 'DELETE', 'POST'].includes(route.request().method()) ? route.abort() : route.continue())
    }
  })
  const alert = dialogOf(page).getByRole('alert')
  const dialogs = [
    ['Create snapshot…', 'Create', 'The snapshot may have begun.'],
    ['Note…', 'Save', 'The note may be saved.'],
    ['Delete…', 'Delete', 'It may be done.']
  ] as const
  for (const [open, button, text] of dialogs) {
    await page.getByRole('button', { name: open }).click()
    await dialogOf(page).getByRole('button', { name: button, exact: true }).click()
    await alert.getByText(`The service does not answer. ${text}`).waitFor()
    t.ok(await dialogOf(page).getByRole('button', { name: button, exact: true }).isEnabled(), 'it can be repeated')
    await page.keyboard.press('Escape')
  }
  await page.getByRole('button', { name: 'Note…' }).click()
  await page.getByRole('textbox', { name: 'Note' }).press('Control+Enter')
  await alert.getByText('The note may be saved.').waitFor()
})

testPage('other JSON in place of an answer is no success', async (t) => {
  const { app, address } = await useService(t)
  const { id } = await app.backup.create()
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  const foreign = { error: 'Log in' }
  const text = 'The answer is not from the service.'
  await page.route('**/verify', (route) => route.fulfill({ json: foreign }))
  await page.getByRole('button', { name: 'Verify' }).click()
  await page.locator('.notice.bad').getByText(text).waitFor()
  t.equal(await page.getByText('The file is damaged').count(), 0)

  await page.route('**/plan', (route) => route.fulfill({ json: foreign }))
  await page.getByRole('button', { name: 'Restore…' }).click()
  const alert = dialogOf(page).getByRole('alert')
  await alert.getByText(text).waitFor()
  await page.unroute('**/plan')
  await dialogOf(page).getByRole('button', { name: 'Try again' }).click()
  await page.route('**/restore', (route) => route.fulfill({ json: foreign }))
  await dialogOf(page).getByLabel(`Type ${testSchema} to confirm`).fill(testSchema)
  await dialogOf(page).getByRole('button', { name: /^Replace/ }).click()
  await alert.getByText(text).waitFor()
  t.equal(await page.getByText(/^Restore of/).count(), 0)
  t.same((await app.backup.get(id)).restores, [])
})

t.end()
