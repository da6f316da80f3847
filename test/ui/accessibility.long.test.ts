import t from 'tap'
import type { Page } from 'playwright-core'
import { usePlace } from '../support/engine.ts'
import {
  findViolations, holdCalls, openPage, openSnapshot, overflowOf, signIn, slowDown, testPage, untilInPage, useService
} from './admin-page.ts'
import { prepareStage, type Stage, visitEveryState } from './every-state.ts'

/** The shop with 300 orders. */
async function useStage (t: Parameters<typeof prepareStage>[0]): Promise<Stage> {
  const place = await usePlace(t)
  await place.sql`INSERT INTO users (name) SELECT repeat('x', 100) FROM generate_series(1, 40000)`
  await place.sql`INSERT INTO orders SELECT n, 1, n FROM generate_series(4, 300) n`
  await place.sql`ANALYZE`
  return await prepareStage(t, await slowDown(t, place), { days: 6, table: 'orders' })
}

const phone = { viewport: { width: 360, height: 740 } }

for (const colorScheme of ['light', 'dark'] as const) {
  testPage(`axe finds no violation in any state, ${colorScheme}`, async (t) => {
    let states = 0
    await visitEveryState(t, await useStage(t), async (page, state) => {
      states++
      t.strictSame(await findViolations(page), [], state)
    }, { colorScheme, reducedMotion: 'reduce' })
    t.ok(states > 25)
  })
}

// 640 px is a window of 1280 px at a zoom of 200 % (WCAG 2.2, 1.4.4)
for (const width of [360, 640]) {
  testPage(`no state needs horizontal scrolling at ${width} px`, async (t) => {
    await visitEveryState(t, await useStage(t), async (page, state) => {
      t.equal(await overflowOf(page), 0, state)
      const hidden = await page.evaluate(`[...document.querySelectorAll('dialog button, dialog input')]
        .filter((part) => part.getBoundingClientRect().left < 0 || part.getBoundingClientRect().right > innerWidth)
        .map((part) => part.outerHTML)`)
      t.strictSame(hidden, [], `${state}: all controls can be seen`)
    }, { viewport: { width, height: 740 } })
  })
}

testPage('axe finds no violation on a phone, and tables are tables there', async (t) => {
  await visitEveryState(t, await useStage(t), async (page, state) => {
    t.strictSame(await findViolations(page), [], state)
    t.strictSame(await page.evaluate(partsWithoutRole), [], `${state}: what is laid out otherwise says what it is`)
  }, phone)
})

/** A part of a table that CSS displays in another way loses its role in some browsers, unless it has it explicitly. */
const partsWithoutRole = `[...document.querySelectorAll('table, thead, tbody, tr, th, td')]
  .filter((part) => !/^table|none/.test(getComputedStyle(part).display) && !part.hasAttribute('role'))
  .map((part) => part.outerHTML.slice(0, 100))`

testPage('on a phone, all snapshots can be selected, and columns keep their names', async (t) => {
  const { app, address } = await useService(t)
  await app.backup.create()
  await app.backup.create()
  const page = await openPage(t, address, { ...phone, hash: '#/snapshots' })
  await page.getByText('Select all on this page').click()
  await page.getByText('2 selected').last().waitFor()
  t.equal(await page.locator('table.snapshots tbody input:checked').count(), 2)
  const { width = 0 } = await page.getByText('Select all on this page').boundingBox() ?? {}
  t.ok(width > 100, 'its text can be read')
  t.equal(await page.evaluate("getComputedStyle(document.querySelector('.snapshots thead')).display"), 'block')
  t.equal(await page.getByRole('columnheader').count(), 10)
})

testPage('a name of 63 characters in a problem needs no horizontal scrolling on a phone', async (t) => {
  const { app, address, sql } = await useService(t)
  const table = 'x'.repeat(63)
  await sql`CREATE TABLE ${sql(table)} AS SELECT n AS id FROM generate_series(1, 3000) n`
  await app.backup.create()
  await sql`DELETE FROM ${sql(table)}`
  await app.backup.create()
  const page = await openPage(t, address, phone)
  await page.getByText(table).waitFor()
  t.equal(await overflowOf(page), 0)
})

/** Marks the live regions of the page, to find out later which ones are new. */
const markRegions = async (page: Page): Promise<void> => {
  await page.evaluate(`for (const region of document.querySelectorAll('[role=alert], [role=status]')) {
    region.dataset.known = ''
  }`)
}

testPage('screen readers are told what happens: the text comes into a region that was there before', async (t) => {
  const { app, address } = await useService(t)
  const page = await openPage(t, address, { token: null, expected: /status of 4\d\d/ })
  const heard = async (role: 'alert' | 'status', text: string, act: () => Promise<unknown>): Promise<void> => {
    await markRegions(page)
    await act()
    await page.locator(`[role=${role}][data-known]`).filter({ hasText: text }).waitFor({ state: 'attached' })
  }
  await page.getByLabel('Bearer token').waitFor()
  await heard('alert', 'The token was refused.', async () => {
    await page.getByLabel('Bearer token').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
  })
  await signIn(page)
  await page.getByText('There is no snapshot yet').waitFor()
  await heard('status', 'completed.', () => app.backup.create())
  const gate = await holdCalls(page, '**/*limit=*')
  await page.getByRole('link', { name: 'Snapshots', exact: true }).click()
  await page.getByLabel('Trigger').waitFor()
  await heard('status', '1 snapshot', async () => { gate.open() })
  await page.locator('table.snapshots tbody tr').waitFor()
  await heard('status', '1 selected', () => page.getByLabel(/^Select the snapshot/).check())
  await heard('status', 'No snapshots', () => page.getByLabel('Trigger').selectOption('import'))
  await page.goto(`${address}#/snapshots`)
  await openSnapshot(page)
  await heard('status', 'The file is complete and intact.', () => page.getByRole('button', { name: 'Verify' }).click())
  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  await page.getByRole('dialog').getByLabel('Schema').waitFor()
  await heard('alert', 'has no schema', async () => {
    await page.getByRole('dialog').getByLabel('Schema').fill('missing')
    await page.getByRole('button', { name: 'Create', exact: true }).click()
  })
})

testPage('notices are in front of an open dialog, and stay when it is closed', async (t) => {
  const { app, address } = await useService(t)
  const page = await openPage(t, address)
  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  const dialog = page.getByRole('dialog')
  await app.backup.create()
  await dialog.getByText('completed.').waitFor()
  t.equal(await page.locator('.notice').count(), 1)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  await page.getByText('completed.').waitFor()
  await page.getByRole('button', { name: 'Import…' }).click()
  // Only what is in front can be clicked
  await dialog.getByRole('button', { name: 'Dismiss' }).click()
  await page.locator('.notice').waitFor({ state: 'detached' })
})

testPage('where the reader has chosen the colors, every field and mark of the chart can be seen', async (t) => {
  const { app, address } = await useService(t)
  await app.backup.create()
  const page = await openPage(t, address, { forcedColors: 'active' })
  await page.locator('history-chart svg').waitFor()
  const paints = `[...new Set([...document.querySelectorAll('.days rect')].map((field) => {
    const { fill } = getComputedStyle(field)
    return fill
  }))].length`
  t.equal(await page.evaluate(paints), 2, 'the day with a snapshot, and those without')
  t.not(await page.evaluate("getComputedStyle(document.querySelector('button.primary')).backgroundColor"),
    await page.evaluate('getComputedStyle(document.body).backgroundColor'))
})

testPage('nothing moves for readers who prefer that', async (t) => {
  const { address } = await useService(t)
  const page = await openPage(t, address, { reducedMotion: 'reduce' })
  const durations = '[...new Set([...document.querySelectorAll("*")].map((part) => {' +
    'const { transitionDuration, animationName } = getComputedStyle(part)\n' +
    'return transitionDuration + animationName }))].join()'
  t.equal(await page.evaluate(durations), '0snone')
  await page.emulateMedia({ reducedMotion: 'no-preference' })
  await untilInPage(page, `${durations}.includes('0.12s')`)
})

t.end()
