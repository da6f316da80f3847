import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { type TestScope } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { usePlace } from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import type { Backup } from '../../types/index.ts'
import {
  adminToken, holdCalls, openPage, type OpenOptions, type Service, signIn, type SlowPlace, useService, viewerToken
} from './admin-page.ts'

/** Services in the states that the page can show. */
export interface Stage {
  place: SlowPlace
  service: Service
  /** One without snapshots. */
  empty: Service
  /** One with the same snapshots, where restores are off. */
  restricted: Service
  /** The ids of a snapshot that is good, of one that is suspect, and of a run that failed. */
  good: string
  suspect: string
  failed: string
  damagedFile: string
  intactFile: string
  /** Lets the service save the next import only when the gate is open. */
  holdImport: () => ReturnType<typeof createGate>
  /** A table with many rows, which the suspect has lost. */
  table: string
}

/**
 * A service with a history, the newest run today: one run failed, one snapshot is suspect, one is pinned.
 * @param table one with many rows that the suspect has lost
 */
export async function prepareStage (
  t: TestScope, place: SlowPlace, { days, table }: { days: number, table: string }
): Promise<Stage> {
  place.hurry()
  const { sql } = place
  const schedule = { enabled: true, cron: '0 2 * * *', retentionDays: 90 }
  const title = 'Backups of the shop'
  let isFull = false
  let gate = createGate()
  gate.open()
  const storage = storageWith(place.directory, {
    async publish (storage, spoolPath, name) {
      if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      await gate.pass()
      await storage.publish(spoolPath, name)
    }
  })
  const service = await useService(t, {
    place, options: { storage, schedule, maxBackups: 200, ui: { public: true, title }, actor: () => 'ada@example.com' }
  })
  const { create, list, remove, restore, update } = service.app.backup
  const newest = async (): Promise<Backup> => (await list({ limit: 1 })).backups[0] as Backup
  const ids: string[] = []
  for (let age = days; age > 0; age--) {
    const isLast = age === 1
    if (age === 3) {
      // As after an accident: the rows are in the snapshot before
      await sql`DELETE FROM ${sql(table)}`
    }
    isFull = age === 5
    const { id } = await create(isLast ? { note: 'Before the price change' } : {}).catch(newest)
    if (age === 3) {
      const { preRestoreId } = await restore(ids.at(-1) ?? '', { tables: [table] })
      await remove(preRestoreId)
    }
    ids.push(id)
    // Older ones were smaller
    await sql`UPDATE backup_logs SET started_at = now() - ${age - 1} * interval '1 day' - interval '3 h',
      finished_at = now() - ${age - 1} * interval '1 day' - interval '3 h' + ${12 + age * 7 % 5} * interval '0.1 s',
      size_bytes = size_bytes * (1 - ${age - 1} * 0.008), row_count = row_count * (1 - ${age - 1} * 0.008),
      trigger = ${isLast ? 'manual' : 'scheduled'}, created_by = ${isLast ? 'ada@example.com' : null}
      WHERE id = ${id}`
  }
  const [failed = '', suspect = '', good = ''] = [ids.at(-5), ids.at(-3), ids.at(-1)]
  await update(ids.at(-2) ?? '', { pinned: true })
  const damagedFile = join(await useDirectory(t), 'damaged.json')
  await writeFile(damagedFile, '{"manifest":{"version":1}}')
  const empty = await useService(t, { place: await usePlace(t), options: { ui: { public: true, title } } })
  const restricted = await useService(t, {
    place, options: { storage, allowRestore: false, ui: { public: true, title } }
  })
  const intactFile = join(place.directory, (await service.app.backup.get(good)).filename)
  const holdImport = (): ReturnType<typeof createGate> => {
    gate = createGate()
    return gate
  }
  return {
    place, service, empty, restricted, good, suspect, failed, damagedFile, intactFile, holdImport, table
  }
}

export type Visit = (page: Page, state: string) => Promise<void>

/** Brings pages into every state, one after the other. */
export async function visitEveryState (
  t: TestScope, stage: Stage, visit: Visit, options: OpenOptions = {}
): Promise<void> {
  const all = { expected: /status of 4\d\d|ERR_FAILED/, ...options }
  const page = await openPage(t, stage.service.address, { ...all, token: null })
  await visitSignIn(page, visit)
  await visitOverview(page, visit)
  await visitList(page, visit)
  await visitSnapshots(page, stage, visit)
  await visitDialogs(page, stage, visit)
  await visitRestore(page, stage, visit)
  await visitFailures(page, stage, visit)
  const viewer = await openPage(t, `${stage.service.address}#/snapshots/${stage.good}`, { ...all, token: viewerToken })
  await viewer.getByRole('button', { name: 'Restore…' }).click()
  await viewer.getByRole('dialog').getByRole('table').waitFor()
  await visit(viewer, 'plan-not-allowed')
  const restricted = await openPage(t, `${stage.restricted.address}#/snapshots/${stage.good}`, all)
  await restricted.getByRole('button', { name: 'Plan a restore…' }).waitFor()
  await visit(restricted, 'snapshot-restores-off')
  await restricted.getByRole('button', { name: 'Plan a restore…' }).click()
  await restricted.getByRole('dialog').getByRole('table').waitFor()
  await visit(restricted, 'plan-restores-off')
  const beginner = await openPage(t, stage.empty.address, all)
  await beginner.getByText('There is no snapshot yet').waitFor()
  await visit(beginner, 'overview-empty')
  await beginner.getByRole('link', { name: 'Snapshots', exact: true }).click()
  await beginner.getByText('There is no snapshot yet').waitFor()
  await visit(beginner, 'list-empty')
  await visitInterruptions(await openPage(t, stage.service.address, { ...all, token: null }), visit)
}

async function visitSignIn (page: Page, visit: Visit): Promise<void> {
  await page.getByLabel('Bearer token').waitFor()
  await visit(page, 'sign-in')
  await page.getByLabel('Bearer token').fill('wrong')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('The token was refused.').waitFor()
  await visit(page, 'sign-in-refused')
  await signIn(page)
}

async function visitOverview (page: Page, visit: Visit): Promise<void> {
  await page.locator('history-chart svg').waitFor()
  await visit(page, 'overview')
  await page.locator('history-chart svg').focus()
  await page.keyboard.press('End')
  await page.locator('.chart-detail').getByText('completed, size').waitFor()
  await visit(page, 'overview-run')
}

async function visitList (page: Page, visit: Visit): Promise<void> {
  await page.getByRole('link', { name: 'Snapshots', exact: true }).click()
  const rows = page.locator('table.snapshots tbody tr')
  await rows.first().waitFor()
  await visit(page, 'list')
  await rows.nth(0).getByRole('checkbox').check()
  await rows.nth(2).getByRole('checkbox').check()
  await visit(page, 'list-selected')
  const gate = await holdCalls(page, '**/verify')
  const group = page.getByRole('group', { name: 'With the selected ones' })
  await group.getByRole('button', { name: 'Verify' }).click()
  await group.getByText('Verifying 1 of 2…').waitFor()
  await visit(page, 'list-working')
  gate.open()
  await page.getByText('Verified 2 of 2: 2 intact.').waitFor()
  await visit(page, 'list-verified')
  await dismissNotices(page)
  await page.unroute('**/verify')
  await page.getByLabel('Trigger').selectOption('import')
  await page.getByText('Nothing matches the filters').waitFor()
  await visit(page, 'list-nothing')
  await page.getByRole('link', { name: 'Clear filters' }).click()
  await rows.first().waitFor()
}

async function openDetail (page: Page, id: string): Promise<void> {
  await page.evaluate(`location.hash = '#/snapshots/${id}'`)
  await page.getByText(id, { exact: true }).waitFor()
}

async function visitSnapshots (page: Page, { good, suspect, failed }: Stage, visit: Visit): Promise<void> {
  await openDetail(page, failed)
  await visit(page, 'snapshot-failed')
  await openDetail(page, suspect)
  await page.getByText('Change since').waitFor()
  await visit(page, 'snapshot-suspect')
  await openDetail(page, good)
  await page.getByText('Change since').waitFor()
  await visit(page, 'snapshot')
  await page.getByText(/^\d+ columns$/).first().click()
  const gate = await holdCalls(page, '**/verify')
  await page.getByRole('button', { name: 'Verify' }).click()
  await page.getByText('Verifying…').waitFor()
  await visit(page, 'snapshot-verifying')
  gate.open()
  await page.getByText('The file is complete and intact.').waitFor()
  await page.unroute('**/verify')
  await visit(page, 'snapshot-verified')
  await page.evaluate("location.hash = '#/snapshots/6a2f41a3-c54c-4ce8-abcd-000000000000'")
  await page.getByText('There is no such snapshot').waitFor()
  await visit(page, 'snapshot-missing')
  await openDetail(page, good)
}

async function visitDialogs (
  page: Page, { damagedFile, intactFile, holdImport }: Stage, visit: Visit): Promise<void> {
  const dialog = page.getByRole('dialog')
  for (const [button, name] of [['Create snapshot…', 'create'], ['Note…', 'note'], ['Delete…', 'delete']] as const) {
    await page.getByRole('button', { name: button }).click()
    await dialog.waitFor()
    await visit(page, name)
    await page.keyboard.press('Escape')
  }
  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  await dialog.getByLabel('Schema').fill('missing')
  await dialog.getByRole('button', { name: 'Create', exact: true }).click()
  await dialog.getByRole('alert').waitFor()
  await visit(page, 'create-refused')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Import…' }).click()
  await visit(page, 'import')
  await page.getByLabel('Snapshot file').setInputFiles(damagedFile)
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  await dialog.getByRole('alert').waitFor()
  await visit(page, 'import-refused')
  await page.keyboard.press('Escape')
  const gate = holdImport()
  await page.getByRole('button', { name: 'Import…' }).click()
  await page.getByLabel('Snapshot file').setInputFiles(intactFile)
  await dialog.getByRole('button', { name: 'Import', exact: true }).click()
  await gate.reached
  await dialog.getByRole('button', { name: 'Cancel the import' }).click()
  await dialog.getByText('Then you can choose').waitFor()
  await visit(page, 'import-cancelled')
  gate.open()
  await dialog.getByRole('heading', { name: 'The service has kept the file' }).waitFor()
  await visit(page, 'import-kept')
  await dialog.getByRole('button', { name: 'Delete it' }).click()
  await page.getByText('The imported snapshot was deleted.').waitFor()
  await dialog.waitFor({ state: 'detached' })
  await dismissNotices(page)
}

/** So that they cover nothing in the states that follow. At once, since they also go by themselves. */
async function dismissNotices (page: Page): Promise<void> {
  await page.evaluate("for (const button of document.querySelectorAll('.notice button')) button.click()")
}

async function visitRestore (page: Page, { place, table }: Stage, visit: Visit): Promise<void> {
  const { sql } = place
  const dialog = page.getByRole('dialog')
  await sql`DELETE FROM ${sql(table)} WHERE ctid IN (
    SELECT ctid FROM ${sql(table)} LIMIT (SELECT count(*) / 3 FROM ${sql(table)}))`
  const gate = await holdCalls(page, '**/plan')
  await page.getByRole('button', { name: 'Restore…' }).click()
  await dialog.getByText('Counting the present rows…').waitFor()
  await visit(page, 'plan-counting')
  gate.open()
  await dialog.getByRole('table').waitFor()
  await page.unroute('**/plan')
  await visit(page, 'plan')
  const confirmation = dialog.locator('footer input')
  await confirmation.fill(await dialog.getByLabel('Into schema').inputValue())
  await visit(page, 'plan-confirmed')
  place.dawdle()
  await dialog.getByRole('button', { name: /^Replace/ }).click()
  await dialog.locator('.phases .current').waitFor()
  await visit(page, 'restore-running')
  await dialog.getByRole('button', { name: 'Close' }).last().click()
  await visit(page, 'snapshot-restoring')
  place.hurry()
  await page.getByText('Restore of “').waitFor()
  await page.getByRole('button', { name: 'Restore…' }).waitFor()
  await page.getByRole('button', { name: 'Restore…' }).click()
  await dialog.getByRole('table').waitFor()
  await confirmation.fill(await dialog.getByLabel('Into schema').inputValue())
  await dialog.getByRole('button', { name: /^Replace/ }).click()
  await dialog.getByText('The rows are restored').waitFor()
  await visit(page, 'restored')
  await page.keyboard.press('Escape')
  await page.getByRole('region', { name: 'Restores' }).getByText('completed').first().waitFor()
  await visit(page, 'snapshot-restores')
  place.dawdle()
  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByRole('region', { name: 'Running now' }).getByText(/%/).waitFor()
  await visit(page, 'overview-running')
  place.hurry()
  await page.getByText('Snapshot of “').waitFor()
}

/** Restores that the schema of today refuses, and that a new index lets fail. */
async function visitFailures (page: Page, { place: { sql }, good, table }: Stage, visit: Visit): Promise<void> {
  const dialog = page.getByRole('dialog')
  await sql`ALTER TABLE ${sql(table)} RENAME TO moved`
  await openDetail(page, good)
  await page.getByRole('button', { name: 'Restore…' }).click()
  await dialog.getByRole('heading', { name: 'The schema has changed since the snapshot' }).waitFor()
  await visit(page, 'plan-drift')
  await page.keyboard.press('Escape')
  await sql`ALTER TABLE moved RENAME TO ${sql(table)}`
  await sql`DELETE FROM ${sql(table)}`
  await sql`CREATE UNIQUE INDEX refusing ON ${sql(table)} ((1))`
  await page.getByRole('button', { name: 'Restore…' }).click()
  await dialog.getByRole('table').waitFor()
  await dialog.locator('footer input').fill(await dialog.getByLabel('Into schema').inputValue())
  await dialog.getByRole('button', { name: /^Replace/ }).click()
  await dialog.getByText('The restore failed, and nothing has changed').waitFor()
  await visit(page, 'restore-failed')
  await page.keyboard.press('Escape')
  await sql`DROP INDEX refusing`
  await page.getByText('The last restore failed').waitFor()
  await visit(page, 'snapshot-restore-failed')
  await visitOldPlan(page, table, sql, visit)
}

/** A plan that has changed until it is confirmed. The table is empty before and after. */
async function visitOldPlan (page: Page, table: string, sql: SlowPlace['sql'], visit: Visit): Promise<void> {
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Restore…' }).click()
  await dialog.getByRole('table').waitFor()
  await dialog.getByLabel('All tables').uncheck()
  await dialog.getByText('Select a table.').waitFor()
  await visit(page, 'plan-nothing-selected')
  await dialog.getByLabel(`Restore ${table}`).check()
  await dialog.getByRole('button', { name: 'Replace the rows of 1 table' }).waitFor()
  await visit(page, 'plan-one-selected')
  await sql`ALTER TABLE ${sql(table)} RENAME TO moved`
  await page.clock.setSystemTime(Date.now() + 3 * 60_000)
  await dialog.locator('footer input').fill(await dialog.getByLabel('Into schema').inputValue())
  await dialog.getByRole('button', { name: /^Replace/ }).click()
  await dialog.getByText('the plan has changed').waitFor()
  await visit(page, 'plan-counted-again')
  await sql`ALTER TABLE moved RENAME TO ${sql(table)}`
  await page.keyboard.press('Escape')
}

/** Before the first answer, and without one. */
async function visitInterruptions (page: Page, visit: Visit): Promise<void> {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => { release = resolve })
  let isDown = false
  await page.route('**/admin/backup/*?*', async (route) => {
    await held
    await (isDown ? route.abort() : route.continue())
  })
  await page.getByLabel('Bearer token').fill(adminToken)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Loading…').waitFor()
  await visit(page, 'loading')
  isDown = true
  release()
  await page.getByRole('alert').waitFor()
  await visit(page, 'no-answer')
  isDown = false
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.locator('history-chart svg').waitFor()
  isDown = true
  await page.evaluate("location.hash = '#/snapshots?status=failed'")
  await page.getByRole('main').getByRole('button', { name: 'Try again' }).first().waitFor()
  await visit(page, 'list-no-answer')
  // As when the tab is shown again
  await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
  await page.getByText('What you see may be old').waitFor()
  await visit(page, 'list-old')
}
