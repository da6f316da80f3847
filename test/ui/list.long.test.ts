import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Page } from 'playwright-core'
import { quoteIdentifier } from '../../lib/postgres/identifiers.ts'
import { testSchema } from '../support/database.ts'
import { openPage, openSnapshot, overflowOf, testPage, untilInPage, useService } from './admin-page.ts'

const rowsOf = (page: Page) => page.locator('table.snapshots tbody tr')

const openList = async (page: Page): Promise<void> => {
  await page.getByRole('link', { name: 'Snapshots', exact: true }).click()
  await rowsOf(page).first().waitFor()
}

/** Waits until the list has this number of rows. */
const untilRows = async (page: Page, count: number): Promise<void> => {
  await untilInPage(page, `document.querySelectorAll('table.snapshots tbody tr').length === ${count}`)
}

testPage('a suspect is shown, and accepted', async (t) => {
  const { app, address, sql } = await useService(t)
  await sql`INSERT INTO users (name) SELECT 'x' FROM generate_series(1, 200)`
  await app.backup.create()
  await sql`DELETE FROM users WHERE id > 10`
  const { id } = await app.backup.create()
  const page = await openPage(t, address)
  await page.getByRole('region', { name: 'Problems' }).getByText('much smaller').waitFor()
  await openSnapshot(page)
  await page.getByText('suspect', { exact: true }).waitFor()
  await page.getByRole('listitem').filter({ hasText: 'users: 202 rows before, 10 now' }).waitFor()
  await page.getByRole('button', { name: 'Accept' }).click()
  await page.getByText('accepted', { exact: true }).waitFor()
  t.equal((await app.backup.get(id)).accepted, true)
  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByText('Healthy.').waitFor()
})

testPage('the change of each table since the snapshot before is shown', async (t) => {
  const { app, address, sql } = await useService(t)
  const before = await app.backup.create()
  await sql`INSERT INTO users (name) VALUES ('Cleo')`
  await sql`DROP TABLE orders`
  await sql`CREATE TABLE later (id int)`
  const { id } = await app.backup.create()
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  const changes = async (): Promise<string[]> => {
    await page.getByText('Change since').waitFor()
    const rows = await page.getByRole('row').filter({ has: page.getByRole('rowheader') }).all()
    return await Promise.all(rows.map(async (row) => [
      await row.getByRole('rowheader').innerText(), await row.getByRole('cell').nth(1).innerText()
    ].join(' ')))
  }
  t.strictSame(await changes(), ['later new', 'users +1', 'orders -3'])

  // The address alone changes: the same element shows another snapshot
  await page.evaluate(`location.hash = '#/snapshots/${before.id}'`)
  await page.getByText(before.id).waitFor()
  await page.getByRole('heading', { name: '2 tables' }).waitFor()
  await page.getByRole('rowheader', { name: 'orders' }).waitFor()
  t.equal(await page.getByText('Change since').count(), 0, 'it is the first one')
})

testPage('several are pinned, verified and deleted, and a failure does not stop the others', async (t) => {
  const { app, address, directory } = await useService(t)
  const made = [await app.backup.create(), await app.backup.create(), await app.backup.create()]
  const page = await openPage(t, address, { expected: /status of 4\d\d/ })
  await openList(page)
  await rowsOf(page).nth(0).getByRole('checkbox').check()
  await rowsOf(page).nth(1).getByRole('checkbox').check()
  const group = page.getByRole('group', { name: 'With the selected ones' })
  await group.getByText('2 selected').waitFor()
  await group.getByRole('button', { name: 'Pin' }).click()
  await page.getByText('Pinning: 2 of 2 done.').waitFor()
  await untilInPage(page, "document.querySelectorAll('table.snapshots tbody .badge').length === 5")
  t.strictSame((await app.backup.list()).backups.map(({ pinned }) => pinned), [true, true, false])

  await page.getByLabel('Select all on this page').check()
  await rm(join(directory, made[1]?.filename ?? ''))
  await group.getByRole('button', { name: 'Verify' }).click()
  await page.getByText('Verifying: 2 of 3 done.').waitFor()
  await page.locator('.notice.bad').first().waitFor()

  await page.getByLabel('Select all on this page').check()
  // As somebody else would, which the page does not know
  await app.backup.remove(made[2]?.id ?? '')
  await group.getByRole('button', { name: 'Delete…' }).click()
  await page.getByRole('dialog').getByText(/of them (?:is|are) pinned/).waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByText('Deleting: 2 of 3 done.').waitFor()
  await page.locator('.notice.bad').getByText('There is no backup').waitFor()
  await page.getByText('There is no snapshot yet').waitFor()
  t.strictSame((await app.backup.list()).backups, [])
})

testPage('filters are in the address, and can be cleared', async (t) => {
  const { app, address, sql } = await useService(t)
  await sql`CREATE SCHEMA other CREATE TABLE things (id int)`
  await app.backup.create({ note: 'today' })
  await app.backup.create({ schema: 'other' })
  const { id } = await app.backup.create({ note: 'old' })
  await sql`UPDATE backup_logs SET started_at = '2026-01-15T12:00:00Z', trigger = 'scheduled' WHERE id = ${id}`
  const page = await openPage(t, address)
  await openList(page)
  await untilRows(page, 3)
  await page.getByLabel('Trigger').selectOption('scheduled')
  await untilRows(page, 1)
  t.match(page.url(), /#\/snapshots\?trigger=scheduled$/)
  await page.getByRole('link', { name: 'Clear filters' }).click()
  await untilRows(page, 3)
  t.equal(await page.getByLabel('Trigger').inputValue(), '', 'the control is cleared, too')
  await page.getByLabel('Schema', { exact: true }).fill('other')
  await page.getByLabel('Schema', { exact: true }).press('Enter')
  await untilRows(page, 1)
  await page.goBack()
  await untilRows(page, 3)
  await page.getByLabel('From', { exact: true }).fill('2026-01-15')
  await page.getByLabel('To', { exact: true }).fill('2026-01-15')
  await untilRows(page, 1)
  await page.getByText('old', { exact: true }).waitFor()
  await page.getByLabel('Status').selectOption('failed')
  await page.getByText('Nothing matches the filters').waitFor()
})

testPage('a list of 10,000 is shown page by page', async (t) => {
  const { app, address, sql } = await useService(t)
  await app.backup.create()
  const columns = await sql`SELECT string_agg(quote_ident(column_name), ', ') AS names
    FROM information_schema.columns WHERE table_name = 'backup_logs' AND is_identity = 'NO' AND is_generated = 'NEVER'
      AND column_name NOT IN ('id', 'filename', 'started_at', 'finished_at', 'slot')`
  const names = String(columns[0]?.names)
  await sql.unsafe(`INSERT INTO backup_logs (id, filename, started_at, finished_at, ${names})
    SELECT gen_random_uuid(), 'no-' || n || '.json', now() - n * interval '10 minutes',
      now() - n * interval '10 minutes' + interval '3 s', ${names}
    FROM backup_logs, generate_series(1, 9999) n`)
  const page = await openPage(t, address)
  await page.locator('history-chart svg').waitFor()
  const begun = performance.now()
  await openList(page)
  t.comment(`the list of 10,000 took ${Math.round(performance.now() - begun)} ms`)
  t.equal(await rowsOf(page).count(), 50)
  const first = await rowsOf(page).first().getByRole('link').getAttribute('href')
  await page.getByRole('button', { name: 'Older' }).click()
  await page.getByText('Page 2').waitFor()
  await untilInPage(
    page, `document.querySelector('table.snapshots tbody a').getAttribute('href') !== ${JSON.stringify(first)}`)
  await page.getByRole('button', { name: 'Newer' }).click()
  await untilInPage(
    page, `document.querySelector('table.snapshots tbody a').getAttribute('href') === ${JSON.stringify(first)}`)
  t.ok(await page.getByRole('button', { name: 'Newer' }).isDisabled())
})

testPage('whatever a schema, a table, a note or a caller is called, it is shown as text', async (t) => {
  const script = '<script>window.stolen = 1</script><img src=x onerror="stolen=1">'
  const schema = `"><img src=x onerror=stolen=1>'${'ü'.repeat(16)}`
  const table = '\u202Eevil\n<b>bold</b> 🐘 {{1}}'
  const note = `${script}\nsecond line " ' & 👩‍👩‍👧 \u202Eright to left`
  const { app, address, sql } = await useService(t, { options: { actor: () => script } })
  t.equal(Buffer.byteLength(schema), 63)
  await sql.unsafe(`CREATE SCHEMA ${quoteIdentifier(schema)};
    CREATE TABLE ${quoteIdentifier(schema)}.${quoteIdentifier(table)} (${quoteIdentifier(script)} int)`)
  await sql.unsafe(`INSERT INTO ${quoteIdentifier(schema)}.${quoteIdentifier(table)} VALUES (1)`)
  const { id } = await app.backup.create({ schema, note, actor: script } as never)
  const page = await openPage(t, address, { viewport: { width: 360, height: 740 } })
  await page.getByText(`${schema}, 1 row`).waitFor()
  t.equal(await overflowOf(page), 0, 'overview')
  await page.getByRole('link', { name: 'Snapshots', exact: true }).click()
  await rowsOf(page).getByText(schema, { exact: true }).waitFor()
  t.equal(await overflowOf(page), 0, 'list')
  await page.goto(`${address}#/snapshots/${id}`)
  await page.getByText('second line').waitFor()
  await page.getByRole('rowheader', { name: 'bold' }).waitFor()
  t.equal(await page.locator('main .name', { hasText: 'evil' }).innerText(), table)
  await page.getByText('1 column', { exact: true }).click()
  await page.getByText(script, { exact: true }).first().waitFor()
  t.equal(await overflowOf(page), 0, 'detail')

  await page.getByRole('button', { name: 'Restore…' }).click()
  const dialog = page.getByRole('dialog')
  const confirmation = dialog.locator('footer input')
  await dialog.getByRole('button', { name: 'Replace the rows of 1 table' }).waitFor()
  await confirmation.fill(schema)
  await dialog.getByRole('button', { name: 'Replace the rows of 1 table' }).click()
  await dialog.getByText('1 row in 1 table, in').waitFor()
  t.equal(await overflowOf(page), 0, 'restore')
  t.equal(await page.evaluate('window.stolen'), undefined)
  t.equal(await page.locator('img, main b b, main script').count(), 0)
})

testPage('an address that does not exist says so', async (t) => {
  const { address } = await useService(t)
  const page = await openPage(t, address, { expected: /status of 4\d\d/, hash: '#/nowhere' })
  await page.getByRole('heading', { name: 'There is no such page' }).waitFor()
  await page.goto(`${address}#/snapshots/6a2f41a3-c54c-4ce8-abcd-000000000000`)
  await page.getByRole('heading', { name: 'There is no such snapshot' }).waitFor()
  t.match(await page.title(), /Snapshot · Backups/)
})

testPage('the chart has one page for each schema, and its runs can be reached', async (t) => {
  const { app, address, sql } = await useService(t)
  await sql`CREATE SCHEMA other CREATE TABLE things (id int)`
  await app.backup.create({ schema: 'other' })
  await app.backup.create()
  const last = await app.backup.create()
  const page = await openPage(t, address)
  const chart = page.getByRole('application')
  await page.getByLabel('Schema').selectOption('other')
  await untilInPage(page, "document.querySelector('history-chart svg')?.ariaLabel.includes('of 1 run.')")
  await page.getByLabel('Schema').selectOption(testSchema)
  await untilInPage(page, "document.querySelector('history-chart svg')?.ariaLabel.includes('of 2 runs.')")
  await chart.focus()
  await page.keyboard.press('End')
  await page.locator('.chart-detail').getByText('completed, size').waitFor()
  await page.keyboard.press('Enter')
  await page.getByText(last.id).waitFor()
})

t.end()
