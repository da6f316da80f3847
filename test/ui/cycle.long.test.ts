import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { Page } from 'playwright-core'
import { testSchema } from '../support/database.ts'
import { openPage, openSnapshot, testPage, useService, useSlowPlace } from './admin-page.ts'

const dialogOf = (page: Page) => page.getByRole('dialog')

testPage('a snapshot is created with progress, and appears in list, overview and detail', async (t) => {
  const place = await useSlowPlace(t)
  const service = await useService(t, { place })
  const page = await openPage(t, service.address)
  await page.getByText('There is no snapshot yet').waitFor()

  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  await page.getByLabel('Tables to leave out').fill('orders')
  await page.getByLabel('Note').fill('Before the price change')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await dialogOf(page).waitFor({ state: 'detached' })
  const running = page.getByRole('region', { name: 'Running now' })
  await running.getByText(`Creating a snapshot of ${testSchema}`).waitFor()
  await running.getByText(/users,\s+table 1 of\s+1 · \d+% · [\d.]+ \w?B\/s · [\d.]+ (?:s|min) left/).waitFor()
  await running.getByText('You may close this page').waitFor()
  place.hurry()
  await running.waitFor({ state: 'detached' })
  await page.getByText(`Snapshot of “${testSchema}” completed.`).waitFor()
  const tile = page.getByText('Newest good snapshot').locator('..')
  t.equal((await tile.getByRole('definition').allInnerTexts())[0], 'none', 'a part of the tables is no good snapshot')
  await page.getByText('0 of the last 14 days have a good snapshot.').waitFor()

  await page.getByRole('link', { name: 'Snapshots', exact: true }).click()
  const row = page.locator('table.snapshots tbody tr')
  await row.waitFor()
  const cells = await row.getByRole('cell').allInnerTexts()
  // Without size and duration
  t.strictSame(cells.slice(1).filter((_, index) => index !== 4 && index !== 5),
    [testSchema, 'completed', 'manual', '60,002', 'ada@example.com', 'Before the price change'])
  await openSnapshot(page)
  await page.getByRole('heading', { name: '1 table', exact: true }).waitFor()
  await page.getByText('The caller left tables out.').waitFor()
  await page.getByText('2 columns').click()
  t.equal(await page.locator('details li').filter({ hasText: 'name' }).innerText(), 'name text')
})

testPage('a snapshot is verified, pinned, annotated and downloaded', async (t) => {
  const service = await useService(t)
  const { id, filename } = await service.app.backup.create()
  const page = await openPage(t, service.address)
  await openSnapshot(page)

  await page.getByRole('button', { name: 'Verify' }).click()
  await page.getByText('The file is complete and intact.').waitFor()
  await page.getByRole('button', { name: 'Pin', exact: true }).click()
  await page.getByRole('button', { name: 'Unpin' }).waitFor()
  t.equal((await service.app.backup.get(id)).pinned, true)
  await page.getByRole('button', { name: 'Unpin' }).click()
  await page.getByRole('button', { name: 'Pin', exact: true }).waitFor()
  t.equal((await service.app.backup.get(id)).pinned, false)

  await page.getByRole('button', { name: 'Note…' }).click()
  await page.getByRole('textbox', { name: 'Note' }).fill('First line\nSecond line')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('First line').waitFor()
  t.equal((await service.app.backup.get(id)).note, 'First line\nSecond line')
  await page.getByRole('button', { name: 'Note…' }).click()
  await page.getByRole('textbox', { name: 'Note' }).fill('')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('First line').waitFor({ state: 'detached' })
  t.equal((await service.app.backup.get(id)).note, null)

  const [download] = await Promise.all([
    page.waitForEvent('download'), page.getByRole('button', { name: 'Download' }).click()
  ])
  t.equal(download.suggestedFilename(), filename)
  t.strictSame(await readFile(await download.path()), await readFile(join(service.directory, filename)))
})

testPage('a compressed snapshot is downloaded as it is stored, and as JSON', async (t) => {
  const service = await useService(t, { options: { compression: 'gzip' } })
  const { id, filename } = await service.app.backup.create()
  const stored = await readFile(join(service.directory, filename))
  const page = await openPage(t, service.address, { hash: `#/snapshots/${id}` })
  await page.getByText(/of JSON, .* stored \(gzip\)/).waitFor()
  for (const [name, suggested, bytes] of [
    ['Download', filename, stored],
    ['Download as JSON', filename.replace(/\.gz$/, ''), gunzipSync(stored)]
  ] as const) {
    const [download] = await Promise.all([
      page.waitForEvent('download'), page.getByRole('button', { name, exact: true }).click()
    ])
    t.equal(download.suggestedFilename(), suggested)
    t.ok((await readFile(await download.path())).equals(bytes), name)
  }
})

testPage('a restore shows its plan and its phases, and can be undone', async (t) => {
  const place = await useSlowPlace(t)
  const { id } = await (await useService(t, { place: { ...place, url: place.directUrl } })).app.backup.create()
  const { sql, address } = await useService(t, { place })
  await sql`DELETE FROM orders WHERE id < 3`
  await sql`CREATE TABLE later (id int)`
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  await page.getByRole('button', { name: 'Restore…' }).click()
  const dialog = dialogOf(page)

  const row = dialog.getByRole('row').filter({ hasText: 'orders' })
  await row.waitFor()
  t.strictSame((await row.getByRole('cell').allInnerTexts()).slice(1, 4), ['1', '3', '+2'])
  await dialog.getByText('locked for readers and writers').waitFor()
  await dialog.getByText('tables stay untouched').click()
  await dialog.getByText('later', { exact: true }).waitFor()
  const replace = dialog.getByRole('button', { name: 'Replace the rows of 2 tables' })
  t.ok(await replace.isDisabled(), 'the schema has not been typed')
  const confirmation = dialog.getByLabel(`Type ${testSchema} to confirm`)
  await confirmation.fill('other')
  t.ok(await replace.isDisabled())
  await confirmation.fill(testSchema)
  await replace.click()

  await dialog.getByText('The restore is running.').waitFor()
  await dialog.locator('.phases .current', { hasText: 'Save the present rows' }).waitFor()
  t.match(await dialog.locator('.phases .done').innerText(), /^Check the file/)
  place.hurry()
  await dialog.getByText('The rows are restored').waitFor()
  await dialog.getByText('60,005 rows in 2 tables, in').waitFor()
  t.equal((await sql`SELECT count(*)::int FROM orders`)[0]?.count, 3)

  await dialog.getByRole('button', { name: /^Undo/ }).click()
  await dialog.getByLabel(`Type ${testSchema} to confirm`).fill(testSchema)
  const undo = dialog.getByRole('button', { name: 'Replace the rows of 2 tables' })
  await undo.click()
  await dialog.getByText('60,003 rows in 2 tables, in').waitFor()
  t.equal((await sql`SELECT count(*)::int FROM orders`)[0]?.count, 1)
  await dialog.getByRole('button', { name: 'Close' }).last().click()
  await page.getByText('restored', { exact: true }).waitFor()
})

testPage('chosen tables are restored, into another schema', async (t) => {
  const service = await useService(t)
  const { sql, app } = service
  const { id } = await app.backup.create()
  await sql.unsafe(`CREATE SCHEMA other; CREATE TABLE other.users (LIKE ${testSchema}.users INCLUDING ALL);
    CREATE TABLE other.orders (id int PRIMARY KEY, user_id bigint NOT NULL, total numeric(10, 2))`)
  const page = await openPage(t, service.address, { hash: `#/snapshots/${id}` })
  await page.getByRole('button', { name: 'Restore…' }).click()
  const dialog = dialogOf(page)
  await dialog.getByLabel('Into schema').fill('other')
  await dialog.getByLabel('Into schema').press('Enter')
  await dialog.getByRole('row').filter({ hasText: 'users' }).filter({ hasText: '+2' }).waitFor()
  await dialog.getByLabel('Restore orders').uncheck()
  await dialog.getByText('1 table stays untouched').waitFor()
  await dialog.getByLabel('Type other to confirm').fill('other')
  await dialog.getByRole('button', { name: 'Replace the rows of 1 table' }).click()
  await dialog.getByText('2 rows in 1 table, in').waitFor()
  t.equal((await sql`SELECT count(*)::int FROM other.users`)[0]?.count, 2)
  t.equal((await sql`SELECT count(*)::int FROM other.orders`)[0]?.count, 0)
})

testPage('a downloaded file is imported by choosing and by dropping it, and deleted', async (t) => {
  const service = await useService(t)
  const { app, directory } = service
  const { filename, id } = await app.backup.create({ note: 'the original' })
  // The event of the removal may arrive before its answer
  const page = await openPage(t, service.address, { expected: /status of 404/ })
  await page.getByRole('button', { name: 'Import…' }).click()
  const accept = dialogOf(page).getByRole('button', { name: 'Import', exact: true })
  t.ok(await accept.isDisabled(), 'there is no file')
  await page.getByLabel('Snapshot file').setInputFiles(join(directory, filename))
  await accept.click()
  await page.getByText('Came from').waitFor()
  const { backups: [chosen] } = await app.backup.list()
  t.match(chosen, { trigger: 'import', rowCount: 5, note: 'the original' })
  t.match(page.url(), `#/snapshots/${chosen?.id}`)

  await page.getByRole('button', { name: 'Import…' }).click()
  const text = await readFile(join(directory, filename), 'utf8')
  const transfer = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer()
    transfer.items.add(new File([${JSON.stringify(text)}], 'dropped.json'))
    return transfer
  })()`)
  await page.locator('.drop').dispatchEvent('drop', { dataTransfer: transfer })
  await dialogOf(page).getByText('dropped.json').waitFor()
  await accept.click()
  await dialogOf(page).waitFor({ state: 'detached' })
  const { backups: [dropped] } = await app.backup.list()
  await page.waitForURL(`**/#/snapshots/${dropped?.id}`)
  t.match(dropped, { trigger: 'import', rowCount: 5 })
  t.not(dropped?.id, chosen?.id)

  await page.getByText(String(dropped?.id)).waitFor()
  await page.getByRole('button', { name: 'Delete…' }).click()
  await dialogOf(page).getByText('This cannot be undone.').waitFor()
  await dialogOf(page).getByRole('button', { name: 'Cancel' }).click()
  t.equal((await app.backup.list()).backups.length, 3)
  await page.getByRole('button', { name: 'Delete…' }).click()
  await dialogOf(page).getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('heading', { name: 'Snapshots' }).waitFor()
  t.strictSame((await app.backup.list()).backups.map((backup) => backup.id), [chosen?.id, id])
})

t.end()
