import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Page } from 'playwright-core'
import { quoteIdentifier } from '../../lib/postgres/identifiers.ts'
import { testSchema } from '../support/database.ts'
import type { Place } from '../support/engine.ts'
import { createGate } from '../support/storage-double.ts'
import { openPage, openSnapshot, overflowOf, signIn, testPage, untilInPage, useService } from './admin-page.ts'

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
  await page.getByText('The good snapshots before it are not pruned.').waitFor()
  await page.getByRole('button', { name: 'Accept…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('listitem').filter({ hasText: 'users: 202 rows before, 10 now' }).waitFor()
  await dialog.getByText('may then be pruned').waitFor()
  await dialog.getByRole('button', { name: 'Accept', exact: true }).click()
  await page.getByText('accepted', { exact: true }).waitFor()
  t.equal((await app.backup.get(id)).accepted, true)
  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByText('Healthy.').waitFor()
})

testPage('a suspect before a snapshot that is good again holds nothing', async (t) => {
  const { app, address, sql } = await useService(t)
  await sql`INSERT INTO users (name) SELECT 'x' FROM generate_series(1, 200)`
  await app.backup.create()
  await sql`DELETE FROM users WHERE id > 10`
  const { id } = await app.backup.create()
  await sql`INSERT INTO users (name) SELECT 'x' FROM generate_series(1, 200)`
  await app.backup.create()
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  await page.getByText('later ones were good again').waitFor()
  t.equal(await page.getByRole('button', { name: 'Accept…' }).count(), 0)
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
  await page.locator('.notice.bad').getByText('Verified 2 of 3: 2 intact. Without a file: ').waitFor()

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

/** Holds back the requests of a method, as a slow service would. */
async function holdBack (page: Page, method: string) {
  const gate = createGate()
  const urls: string[] = []
  await page.route('**/admin/backup/*-*-*-*-*', async (route) => {
    if (route.request().method() === method) {
      urls.push(route.request().url())
      await gate.pass()
    }
    await route.continue()
  })
  return { ...gate, urls }
}

testPage('an action on several can be cancelled, and says what was not done', async (t) => {
  const { app, address } = await useService(t)
  for (let count = 0; count < 3; count++) await app.backup.create()
  const page = await openPage(t, address)
  await openList(page)
  const held = await holdBack(page, 'PATCH')
  await page.getByLabel('Select all on this page').check()
  const group = page.getByRole('group', { name: 'With the selected ones' })
  await group.getByRole('button', { name: 'Pin' }).click()
  await held.reached
  await group.getByText('Pinning 1 of 3…').waitFor()
  await group.getByRole('button', { name: 'Cancel' }).click()
  await group.getByText('Stopping after the present one…').waitFor()
  held.open()
  await page.getByText('Pinning: 1 of 3 done. Stopped: 2 not done.').waitFor()
  await group.getByText('2 selected').waitFor()
  t.equal(held.urls.length, 1)
  t.equal((await app.backup.list()).backups.filter(({ pinned }) => pinned).length, 1)
})

for (const way of ['signs out', 'leaves the list']) {
  testPage(`an action on several ends when the reader ${way}`, async (t) => {
    const { app, address } = await useService(t)
    for (let count = 0; count < 3; count++) await app.backup.create()
    const page = await openPage(t, address)
    await openList(page)
    const held = await holdBack(page, 'DELETE')
    await page.getByLabel('Select all on this page').check()
    await page.getByRole('button', { name: 'Delete…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await held.reached
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    if (way === 'signs out') await page.getByRole('button', { name: 'Sign out' }).click()
    else await page.getByRole('link', { name: 'Overview' }).click()
    const deleted = page.waitForResponse((response) => response.request().method() === 'DELETE')
    held.open()
    await deleted
    if (way === 'signs out') {
      t.equal(await page.locator('.notice').count(), 0, 'nothing is said to who has signed out')
      await signIn(page)
    } else {
      await page.getByText('Deleting: 1 of 3 done. Stopped: 2 not done.').waitFor()
    }
    await openList(page)
    await untilRows(page, 2)
    t.equal(held.urls.length, 1)
  })
}

testPage('when the last page of the list was emptied, the page before it is shown', async (t) => {
  const { app, address, sql } = await useService(t)
  await app.backup.create()
  await multiply(sql, 50)
  const page = await openPage(t, address)
  await openList(page)
  await page.getByRole('button', { name: 'Older' }).click()
  await untilRows(page, 1)
  await rowsOf(page).getByRole('checkbox').check()
  await page.getByRole('button', { name: 'Delete…' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await untilRows(page, 50)
  await page.getByRole('navigation', { name: 'Pages of the list' }).waitFor({ state: 'detached' })
})

testPage('a list that cannot be loaded again stays, and so does what was typed', async (t) => {
  let isRefused = false
  const { app, address } = await useService(t, {
    before: (app) => app.addHook('onRequest', async ({ url, method }) => {
      if (!isRefused || url.endsWith('/events') || !url.startsWith('/admin/backup')) return
      throw Object.assign(new Error(`Not now: ${method}`), { statusCode: 429 })
    })
  })
  const { id } = await app.backup.create()
  const page = await openPage(t, address, { expected: /status of 429/ })
  await page.locator('history-chart svg').waitFor()
  isRefused = true
  await app.backup.create()
  await page.getByRole('alert').filter({ hasText: 'What you see may be old' }).waitFor()
  await page.locator('.history').getByRole('alert').getByText('Not now: GET').waitFor()
  t.equal(await page.locator('history-chart svg').count(), 1, 'the chart stays')
  isRefused = false
  await page.locator('.history').getByRole('button', { name: 'Try again' }).click()
  await untilInPage(page, "document.querySelector('history-chart svg').ariaLabel.includes('of 2 runs.')")

  await openList(page)
  await untilRows(page, 2)
  isRefused = true
  await app.backup.create()
  await page.getByRole('alert').getByText('Not now: GET', { exact: true }).waitFor()
  t.equal(await rowsOf(page).count(), 2)
  isRefused = false
  await page.getByRole('alert').filter({ hasNotText: 'may be old' }).getByRole('button', { name: 'Try again' }).click()
  await untilRows(page, 3)

  await page.goto(`${address}#/snapshots/${id}`)
  await page.getByRole('button', { name: 'Note…' }).click()
  await page.getByRole('textbox', { name: 'Note' }).fill('a long text')
  isRefused = true
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('dialog').getByRole('alert').getByText('Not now: PATCH').waitFor()
  await app.backup.create()
  await page.getByText('What you see may be old').waitFor()
  t.equal(await page.getByRole('textbox', { name: 'Note' }).inputValue(), 'a long text')
  isRefused = false
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  t.equal((await app.backup.get(id)).note, 'a long text')
})

testPage('each of many schemas can be chosen, and one with a snapshot hides none without', async (t) => {
  const { app, address, sql } = await useService(t)
  await app.backup.create()
  await multiply(sql, 1100)
  await sql`UPDATE backup_logs SET schema = filename WHERE filename LIKE 'no-%'`
  const page = await openPage(t, address)
  await page.getByText('1,100 of 1,101 schemas').waitFor()
  await page.getByLabel('Schema').selectOption('no-999.json')
  await untilInPage(page, "document.querySelector('history-chart svg')?.ariaLabel.includes('of 1 run.')")
  t.match(page.url(), /schema=no-999\.json$/)
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
  await page.getByText('Change or clear them.').waitFor()
  await page.getByLabel('From', { exact: true }).fill('2026-01-16')
  await page.getByText('The dates are reversed').waitFor()
})

/** Adds rows to the log that are like the only one, and older. */
async function multiply (sql: Place['sql'], count: number): Promise<void> {
  const columns = await sql`SELECT string_agg(quote_ident(column_name), ', ') AS names
    FROM information_schema.columns WHERE table_name = 'backup_logs' AND is_identity = 'NO' AND is_generated = 'NEVER'
      AND column_name NOT IN ('id', 'filename', 'started_at', 'finished_at', 'slot')`
  const names = String(columns[0]?.names)
  await sql.unsafe(`INSERT INTO backup_logs (id, filename, started_at, finished_at, ${names})
    SELECT gen_random_uuid(), 'no-' || n || '.json', now() - n * interval '10 minutes',
      now() - n * interval '10 minutes' + interval '3 s', ${names}
    FROM backup_logs, generate_series(1, ${count}) n`)
}

testPage('a list of 10,000 is shown page by page', async (t) => {
  const { app, address, sql } = await useService(t)
  await app.backup.create()
  await multiply(sql, 9999)
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

testPage('a verdict is not shown for another snapshot', async (t) => {
  const { app, address } = await useService(t)
  const other = await app.backup.create()
  const { id } = await app.backup.create()
  const page = await openPage(t, address, { hash: `#/snapshots/${id}`, expected: /ERR_/ })
  const gate = createGate()
  await page.route('**/verify', async (route) => {
    await gate.pass()
    await route.continue()
  })
  await page.getByRole('button', { name: 'Verify' }).click()
  await gate.reached
  const aborted = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/verify'))
  await page.evaluate(`location.hash = '#/snapshots/${other.id}'`)
  await page.getByText(other.id, { exact: true }).waitFor()
  await aborted
  gate.open()
  t.equal(await page.getByText('The file is complete').count(), 0)
  await page.getByRole('button', { name: 'Verify' }).click()
  await page.getByText('The file is complete and intact.').waitFor()
  await page.evaluate(`location.hash = '#/snapshots/${id}'`)
  await page.getByText(id, { exact: true }).waitFor()
  t.equal(await page.getByText('The file is complete').count(), 0)
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
