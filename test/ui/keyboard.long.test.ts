import t from 'tap'
import type { Page } from 'playwright-core'
import { testSchema } from '../support/database.ts'
import { adminToken, openPage, testPage, untilInPage, useService, viewerToken } from './admin-page.ts'

/** What has the focus: its label or text. */
const focused = async (page: Page): Promise<string> => await page.evaluate(`(() => {
  const { activeElement: element } = document
  return (element.ariaLabel ?? element.labels?.[0]?.innerText ?? element.innerText ?? '').trim()
})()`)

/** Presses Tab until this control has the focus, which must be visible. */
async function tabTo (page: Page, name: string | RegExp, key = 'Tab'): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press(key)
    const current = await focused(page)
    if (typeof name === 'string' ? current !== name : !name.test(current)) continue
    const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle + ' +
      'document.activeElement.matches(":focus-visible")')
    if (outline !== 'solidtrue') throw new Error(`the focus on ${current} is not visible: ${outline}`)
    return
  }
  throw new Error(`Tab does not reach ${String(name)}`)
}

testPage('without a mouse: sign in, create, restore', async (t) => {
  const { app, address, sql } = await useService(t)
  const page = await openPage(t, address, { token: null })
  t.equal(await focused(page), 'Bearer token', 'the page begins where the reader has to type')
  await page.keyboard.type(`${adminToken}\n`)
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  await tabTo(page, 'Create snapshot…')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  t.equal(await focused(page), 'Schema')
  await tabTo(page, 'Note')
  await page.keyboard.type('By hand')
  await page.keyboard.press('Enter')
  await page.getByText(`Snapshot of “${testSchema}” completed.`).waitFor()
  t.equal(await focused(page), 'Create snapshot…', 'the focus is back')
  const { backups: [made] } = await app.backup.list()
  t.equal(made?.note, 'By hand')
  await sql`DELETE FROM orders`

  await tabTo(page, 'Snapshots', 'Shift+Tab')
  await page.keyboard.press('Enter')
  await page.locator('table.snapshots').waitFor()
  t.equal(await page.evaluate('document.activeElement.id'), 'main', 'a new view begins at its content')
  await tabTo(page, /ago|just now/)
  await page.keyboard.press('Enter')
  await tabTo(page, 'Restore…')
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('row').filter({ hasText: 'orders' }).waitFor()
  await tabTo(page, 'Restore users')
  await page.keyboard.press('Space')
  await dialog.getByRole('button', { name: 'Replace the rows of 1 table' }).waitFor()
  await tabTo(page, /^Type /)
  await page.keyboard.type(testSchema)
  await untilInPage(page, '!document.querySelector("dialog footer button.danger").ariaDisabled')
  await tabTo(page, 'Replace the rows of 1 table')
  await page.keyboard.press('Enter')
  await dialog.getByText('3 rows in 1 table, in').waitFor()
  t.equal(await focused(page), 'The rows are restored')
  t.equal((await sql`SELECT FROM orders`).length, 3)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  t.equal(await focused(page), 'Restore…')
})

testPage('the focus follows the steps of a restore that fails', async (t) => {
  const { app, address, sql } = await useService(t)
  const { id } = await app.backup.create()
  await sql`DELETE FROM orders`
  await sql`CREATE UNIQUE INDEX refusing ON orders ((1))`
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  await page.getByRole('button', { name: 'Restore…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('table').waitFor()
  await dialog.getByLabel(`Type ${testSchema} to confirm`).fill(testSchema)
  await tabTo(page, /^Replace the rows/)
  await page.keyboard.press('Enter')
  await dialog.getByRole('heading', { name: 'The restore failed' }).waitFor()
  t.equal(await focused(page), 'The restore failed, and nothing has changed')
  await tabTo(page, 'Back to the plan')
  await page.keyboard.press('Enter')
  await dialog.getByRole('table').waitFor()
  t.equal(await page.evaluate('document.activeElement.id'), 'dialog-heading')
})

testPage('a disabled button can be reached, says why it is disabled, and does nothing', async (t) => {
  const { app, address } = await useService(t)
  const { id } = await app.backup.create()
  const page = await openPage(t, address, { token: viewerToken, hash: `#/snapshots/${id}` })
  await page.getByText('You may not restore.').waitFor()
  for (const [name, reason] of [
    ['Import…', 'You may not import snapshots'], ['Delete…', 'You may not delete snapshots']
  ] as const) {
    const tooltip = page.getByText(reason)
    t.notOk(await tooltip.isVisible())
    await tabTo(page, name)
    await tooltip.waitFor()
    t.equal(await page.evaluate(`document.getElementById(
      document.activeElement.getAttribute('aria-describedby')).textContent`), reason)
    await page.keyboard.press('Enter')
    t.equal(await page.getByRole('dialog').count(), 0)
  }
})

testPage('what a button has begun does not take its focus', async (t) => {
  const { app, address } = await useService(t)
  const { id } = await app.backup.create()
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  await page.getByText('Taken by PostgreSQL').waitFor()
  await tabTo(page, 'Verify')
  await page.keyboard.press('Enter')
  await page.getByText('The file is complete and intact.').waitFor()
  t.equal(await focused(page), 'Verify')
})

testPage('Escape closes every dialog, and the focus returns', async (t) => {
  const { app, address } = await useService(t)
  const { id } = await app.backup.create()
  const page = await openPage(t, address, { hash: `#/snapshots/${id}` })
  for (const name of ['Import…', 'Create snapshot…', 'Restore…', 'Note…', 'Delete…']) {
    await page.getByRole('button', { name }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    t.equal(await page.evaluate('document.activeElement.closest("dialog") !== null'), true, `${name} has the focus`)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    t.equal(await focused(page), name)
  }
})

testPage('the content can be reached without the navigation', async (t) => {
  const { address } = await useService(t)
  const page = await openPage(t, address)
  await page.evaluate('document.activeElement.blur()')
  await page.reload()
  await page.getByLabel('Bearer token').fill(adminToken)
  await page.keyboard.press('Enter')
  await page.getByRole('navigation').waitFor()
  await tabTo(page, 'Skip to the content', 'Shift+Tab')
  await page.keyboard.press('Enter')
  t.equal(await page.evaluate('document.activeElement.id'), 'main')
})

t.end()
