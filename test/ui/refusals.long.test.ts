import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { testSchema } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { usePlace } from '../support/engine.ts'
import { createGate, storageBehind } from '../support/storage-double.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { adminToken, openPage, openSnapshot, signIn, testPage, useService, viewerToken } from './admin-page.ts'

testPage('when restores are off, the plan is shown, and which option allows them', async (t) => {
  const { app, address } = await useService(t, { options: { allowRestore: false } })
  await app.backup.create()
  const page = await openPage(t, address)
  await openSnapshot(page)
  await page.getByText('Restores are off. The option allowRestore: true of the plugin switches them on.').waitFor()
  t.equal(await page.getByRole('button', { name: 'Restore…', exact: true }).count(), 0)
  await page.getByRole('button', { name: 'Plan a restore…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('row').filter({ hasText: 'orders' }).waitFor()
  await dialog.getByText('Restores are off. The option allowRestore: true of the plugin').waitFor()
  t.equal(await dialog.getByRole('button', { name: /^Replace/ }).count(), 0)
})

testPage('who may not restore sees the plan, and no button that would be refused', async (t) => {
  const { app, address } = await useService(t)
  const { id } = await app.backup.create()
  await app.backup.update(id, { pinned: true })
  const page = await openPage(t, address, { token: viewerToken })
  t.ok(await page.getByRole('button', { name: 'Import…' }).isDisabled())
  t.ok(await page.getByRole('button', { name: 'Create snapshot…' }).isEnabled())
  await openSnapshot(page)
  for (const name of ['Delete…', 'Unpin']) t.ok(await page.getByRole('button', { name }).isDisabled(), name)
  await page.getByRole('button', { name: 'Restore…' }).click()
  await page.getByText('You may see this plan, but you may not restore.').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('link', { name: 'All snapshots' }).click()
  await page.getByLabel('Select all on this page').check()
  t.ok(await page.getByRole('button', { name: 'Delete…' }).isDisabled())
  t.ok(await page.getByRole('button', { name: 'Verify' }).isEnabled())
})

testPage('a token that is refused leads back to the sign-in, also while the page is open', async (t) => {
  const { app, address, tokens } = await useService(t)
  await app.backup.create()
  const page = await openPage(t, address, { token: null, expected: /status of 401/ })
  await page.getByLabel('Bearer token').fill('guessed')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('The token was refused.').waitFor()
  await page.getByLabel('Bearer token').fill('not a header ü')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('A token consists of letters, digits and punctuation.').waitFor()
  await signIn(page)
  await openSnapshot(page)
  await page.getByRole('button', { name: 'Note…' }).click()
  tokens.delete(adminToken)
  await page.getByRole('textbox', { name: 'Note' }).fill('x')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('The token was refused.').waitFor()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  t.equal(await page.getByText(testSchema, { exact: true }).count(), 0, 'no data is left')
  tokens.add(adminToken)
  await signIn(page)
  await page.getByRole('heading', { name: 'About' }).waitFor()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByLabel('Bearer token').waitFor()
})

testPage('a reader who may not see the backups sees the reason, and can use another token', async (t) => {
  const { address } = await useService(t, {
    before: (app) => app.addHook('onRequest', async ({ headers }) => {
      if (headers.authorization !== 'Bearer of-somebody') return
      throw Object.assign(new Error('Backups are for admins'), { statusCode: 403 })
    })
  })
  const page = await openPage(t, address, { token: null, expected: /status of 403/ })
  await page.getByLabel('Bearer token').fill('of-somebody')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'You may not see the backups' }).waitFor()
  await page.getByText('Backups are for admins').waitFor()
  await page.getByRole('button', { name: 'Use another token' }).click()
  await signIn(page, `Bearer ${adminToken}`)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
})

testPage('while the database is down, the page says so, and recovers', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const { app, address } = await useService(t, { place: { ...place, url: proxy.url } })
  await app.backup.create()
  const page = await openPage(t, address, { expected: /status of 503/ })
  await proxy.refuse()
  await page.getByRole('link', { name: 'Snapshots', exact: true }).click()
  await page.getByRole('alert').getByText('The database is not available').waitFor()
  const second = await openPage(t, address, { expected: /status of 503/ })
  await second.getByRole('region', { name: 'Problems' }).getByText('The database is not available', { exact: true })
    .waitFor()
  await proxy.accept()
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.locator('table.snapshots').waitFor()
  t.same(await page.getByRole('alert').filter({ hasText: /./ }).allInnerTexts(), [])
})

testPage('while the service does not answer, the page says so', async (t) => {
  const { app, address } = await useService(t)
  const page = await openPage(t, address, { expected: /ERR_|Failed to load resource/ })
  await app.close()
  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByRole('dialog').getByRole('alert').getByText('The service does not answer').waitFor()
  t.ok(await page.getByRole('button', { name: 'Create', exact: true }).isEnabled(), 'another attempt is possible')
})

testPage('a sign-in that gets no answer can be repeated', async (t) => {
  const { address } = await useService(t)
  let isDown = true
  const page = await openPage(t, address, {
    token: null,
    expected: /ERR_FAILED/,
    prepare: (page) => page.route('**/status?*', (route) => isDown ? route.abort() : route.continue())
  })
  await page.getByLabel('Bearer token').fill(adminToken)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').getByText('The service does not answer').waitFor()
  isDown = false
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
})

testPage('a damaged file is not imported, and its problems are listed', async (t) => {
  const { app, address, directory } = await useService(t)
  const { filename } = await app.backup.create()
  const file = join(await useDirectory(t), 'changed.json')
  await writeFile(file, (await readFile(join(directory, filename), 'utf8')).replace('"Ada"', '"Eve"'))
  const page = await openPage(t, address, { expected: /status of 422/ })
  await page.getByRole('button', { name: 'Import…' }).click()
  const dialog = page.getByRole('dialog')
  await page.getByLabel('Snapshot file').setInputFiles(file)
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  await dialog.getByRole('alert').getByText('damaged').waitFor()
  await dialog.getByRole('listitem').filter({ hasText: 'do not match their checksum' }).waitFor()
  t.equal((await app.backup.list()).backups.length, 1)
})

testPage('a damaged snapshot is shown as that, and a restore of it changes nothing', async (t) => {
  const { app, address, directory, sql } = await useService(t)
  const { id, filename, sizeBytes } = await app.backup.create()
  await truncate(join(directory, filename), sizeBytes - 20)
  await sql`DELETE FROM orders`
  const page = await openPage(t, address, { expected: /status of 4\d\d/, hash: `#/snapshots/${id}` })
  await page.getByRole('button', { name: 'Verify' }).click()
  await page.getByRole('heading', { name: 'The file is damaged' }).waitFor()
  t.equal((await sql`SELECT FROM orders`).length, 0)
})

testPage('drift is listed, and has to be accepted', async (t) => {
  const { app, address, sql } = await useService(t)
  const { id } = await app.backup.create()
  await sql`ALTER TABLE users RENAME COLUMN name TO "full name"`
  await sql`ALTER TABLE users ALTER "full name" DROP NOT NULL`
  await sql`DELETE FROM orders`
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  await page.getByRole('button', { name: 'Restore…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('heading', { name: 'The schema has changed since the snapshot' }).waitFor()
  await dialog.getByRole('listitem').filter({ hasText: 'users.name' }).waitFor()
  await dialog.getByLabel(`Type ${testSchema} to confirm`).fill(testSchema)
  const replace = dialog.getByRole('button', { name: /^Replace the rows/ })
  t.ok(await replace.isDisabled(), 'the drift has not been accepted')
  await dialog.getByLabel('Skip what no longer exists').check()
  await replace.click()
  await dialog.getByText('The rows are restored').waitFor()
  await dialog.getByText('Skipped:').waitFor()
  t.equal((await sql`SELECT FROM orders`).length, 3)
})

testPage('while another run holds the schema, a second one is refused', async (t) => {
  const place = await usePlace(t)
  const gate = createGate()
  const { app, address } = await useService(t, { place, options: { storage: storageBehind(place.directory, gate) } })
  const run = app.backup.create()
  t.after(() => { gate.open() })
  await gate.reached
  const page = await openPage(t, address, { expected: /status of 409/ })
  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByRole('dialog').getByRole('alert').waitFor()
  t.match(await page.getByRole('dialog').getByRole('alert').innerText(), 'Another backup or restore of schema')
  await page.keyboard.press('Escape')
  gate.open()
  await run
  await page.getByText(`Snapshot of “${testSchema}” completed.`).waitFor()
})

testPage('a restore that fails says that nothing has changed', async (t) => {
  const { app, address, sql } = await useService(t)
  await sql`INSERT INTO users (name) VALUES ('Ada')`
  const { id } = await app.backup.create()
  await sql`DELETE FROM users WHERE id = 3`
  await sql`CREATE UNIQUE INDEX ON users (name)`
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  await page.getByRole('button', { name: 'Restore…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel(`Type ${testSchema} to confirm`).fill(testSchema)
  await dialog.getByRole('button', { name: /^Replace the rows/ }).click()
  await dialog.getByRole('heading', { name: 'The restore failed, and nothing has changed' }).waitFor()
  t.equal((await sql`SELECT FROM users`).length, 2)
  await dialog.getByRole('button', { name: 'Back to the plan' }).click()
  t.ok(await dialog.getByRole('button', { name: /^Replace the rows/ }).isDisabled(), 'the name is asked for again')

  // A second attempt does not show the outcome of the first one
  await sql`DROP INDEX users_name_idx`
  await dialog.getByLabel(`Type ${testSchema} to confirm`).fill(testSchema)
  await dialog.getByRole('button', { name: /^Replace the rows/ }).click()
  await dialog.getByText('The rows are restored').waitFor()
})

testPage('a restore whose answer is lost is not reported as one that changed nothing', async (t) => {
  const { app, address } = await useService(t)
  const { id } = await app.backup.create()
  const page = await openPage(t, address, {
    hash: `#/snapshots/${id}`,
    expected: /ERR_FAILED/,
    prepare: (page) => page.route('**/restore', (route) => route.abort())
  })
  await page.getByRole('button', { name: 'Restore…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel(`Type ${testSchema} to confirm`).fill(testSchema)
  await dialog.getByRole('button', { name: /^Replace the rows/ }).click()
  const alert = dialog.getByRole('alert').filter({ hasText: 'The restore may have begun' })
  await alert.waitFor()
  t.notMatch(await alert.innerText(), /nothing has changed/i)
})

t.end()
