import t from 'tap'
import { usePlace } from '../support/engine.ts'
import { findViolations, openPage, overflowOf, slowDown, testPage, untilInPage, useService } from './admin-page.ts'
import { prepareStage, type Stage, visitEveryState } from './every-state.ts'

/** The shop with 300 orders. */
async function useStage (t: Parameters<typeof prepareStage>[0]): Promise<Stage> {
  const place = await usePlace(t)
  await place.sql`INSERT INTO users (name) SELECT repeat('x', 100) FROM generate_series(1, 40000)`
  await place.sql`INSERT INTO orders SELECT n, 1, n FROM generate_series(4, 300) n`
  await place.sql`ANALYZE`
  return await prepareStage(t, await slowDown(t, place), { days: 6, table: 'orders' })
}

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

testPage('axe finds no violation on a phone', async (t) => {
  await visitEveryState(t, await useStage(t), async (page, state) => {
    t.strictSame(await findViolations(page), [], state)
  }, { viewport: { width: 360, height: 740 } })
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
