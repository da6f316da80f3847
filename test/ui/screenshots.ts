// npm run screenshots
//
// Writes a picture of every state of the admin page into screenshots/, which git ignores: in light, in dark, and on a
// phone. Those of the README go to docs/. SCREENSHOTS=phone writes one of the three sets.

import { mkdir, rm, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { createShopDatabase } from '../../examples/demo/shop-database.js'
import { useDirectory } from '../support/directory.ts'
import { startPostgres } from '../support/embedded-postgres.js'
import { projectRoot } from '../support/project-root.js'
import { type OpenOptions, slowDown, testPage } from './admin-page.ts'
import { prepareStage, type Stage, visitEveryState } from './every-state.ts'

const sets: Record<string, OpenOptions> = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { viewport: { width: 360, height: 740 } }
}

const inReadme = ['overview', 'plan', 'restored']
/** Of a picture in the README. */
const maxBytes = 150_000

const folder = new URL('screenshots/', projectRoot)
const docs = new URL('docs/', projectRoot)

/** The service of the demo with thirty days of runs. */
async function useShop (t: Test): Promise<Stage> {
  const server = await startPostgres()
  t.after(async () => { await server.stop() })
  const { url } = await createShopDatabase(server.url)
  const sql = postgres(url, { max: 2, onnotice () {} })
  t.after(async () => { await sql.end() })
  const place = await slowDown(t, { url, sql, directory: await useDirectory(t) })
  return await prepareStage(t, place, { days: 30, table: 'order_items' })
}

t.setTimeout(0)
for (const [name, options] of Object.entries(sets)) {
  if ((process.env.SCREENSHOTS ?? name) !== name) continue
  testPage(name, async (t) => {
    t.setTimeout(0)
    const target = new URL(`${name}/`, folder)
    await rm(target, { recursive: true, force: true })
    await mkdir(target, { recursive: true })
    await mkdir(docs, { recursive: true })
    await visitEveryState(t, await useShop(t), async (page, state) => {
      // A modal dialog is as high as the window
      const fullPage = await page.getByRole('dialog').count() === 0
      await page.screenshot({ path: fileURLToPath(new URL(`${state}.png`, target)), fullPage })
      if (name !== 'light' || !inReadme.includes(state)) return
      const path = fileURLToPath(new URL(`${state}.png`, docs))
      await page.screenshot({ path, fullPage })
      t.ok((await stat(path)).size < maxBytes, `${state}.png is small enough`)
    }, { reducedMotion: 'reduce', ...options })
  })
}

t.end()
