import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { type Browser, type BrowserContextOptions, chromium, type ConsoleMessage, type Page } from 'playwright-core'
import root, { type Test } from 'tap'
import backup from '../../lib/index.ts'
import type { BackupOptions } from '../../lib/index.ts'
import { testSchema, type TestScope } from '../support/database.ts'
import { type Place, usePlace } from '../support/engine.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { createGate } from '../support/storage-double.ts'
import { findBrowser } from '../support/find-browser.js'
import { until } from '../support/until.ts'
import { inWorkers } from '../support/worker.ts'

/** May do everything. */
export const adminToken = 'the-token-of-an-admin'
/** Passes `auth`, but not `restoreAuth`. */
export const viewerToken = 'the-token-of-a-viewer'

export interface Service extends Place {
  app: FastifyInstance
  /** Of the page. */
  address: string
  /** Of the routes, without a slash at the end. */
  base: string
  /** The tokens that are accepted; a test may remove some. */
  tokens: Set<string>
}

export interface ServiceOptions {
  /** Of the plugin. */
  options?: BackupOptions
  /** The same place makes another replica. */
  place?: Place
  /** What the app does before the plugin is registered. */
  before?: (app: FastifyInstance) => unknown
}

const refusal = (statusCode: number, message: string): Error => Object.assign(new Error(message), { statusCode })

/** A service with a small shop that listens, and whose page is public and asks for a token. */
export async function useService (
  t: TestScope, { options = {}, place, before }: ServiceOptions = {}
): Promise<Service> {
  const shop = place ?? await usePlace(t)
  const tokens = new Set([adminToken, viewerToken])
  const tokenOf = ({ headers }: FastifyRequest): string => headers.authorization?.replace('Bearer ', '') ?? ''
  const app = Fastify({ forceCloseConnections: true })
  await before?.(app)
  await app.register(backup, {
    enabled: true,
    connection: shop.url,
    schema: testSchema,
    storagePath: shop.directory,
    worker: inWorkers,
    allowRestore: true,
    auth: [async (request) => {
      if (!tokens.has(tokenOf(request))) throw refusal(401, 'This needs a token')
    }],
    restoreAuth: [async (request) => {
      if (tokenOf(request) !== adminToken) throw refusal(403, 'This is for admins')
    }],
    actor: (request) => tokenOf(request) === adminToken ? 'ada@example.com' : 'vera@example.com',
    ui: { public: true },
    ...options
  })
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  t.after(async () => { await app.close() })
  const base = `${origin}/admin/backup`
  return { ...shop, app, address: `${base}/ui/`, base, tokens }
}

/** A place from which the service gets rows slowly. */
export interface SlowPlace extends Place {
  directUrl: string
  /** Delivers rows at once. */
  hurry: () => void
  /** Ends hurry(). */
  dawdle: () => void
}

/**
 * Puts a connection in front of the database that delivers rows slowly, so that the progress of a run can be seen: it
 * is reported every two seconds.
 */
export async function slowDown (t: TestScope, place: Place): Promise<SlowPlace> {
  const proxy = await useTcpProxy(t, place.url)
  proxy.trickle()
  return { ...place, url: proxy.url, directUrl: place.url, hurry: proxy.go, dawdle: proxy.trickle }
}

/** The small shop with 6 MB more, behind a slow connection. */
export async function useSlowPlace (t: TestScope): Promise<SlowPlace> {
  const place = await usePlace(t)
  await place.sql`INSERT INTO users (name) SELECT repeat('x', 100) FROM generate_series(1, 60000)`
  await place.sql`ANALYZE users`
  return await slowDown(t, place)
}

/** What the pages of each test reported. */
const reports = new WeakMap<TestScope, string[]>()

/** @returns what the pages of this test are going to report */
export function collectProblems (t: TestScope): string[] {
  const problems: string[] = []
  reports.set(t, problems)
  return problems
}

/**
 * A test with pages. It fails if one of them reports an error of a script, a violation of the Content Security Policy
 * or an error in the console.
 */
export function testPage (name: string, body: (t: Test) => Promise<void>): void {
  root.test(name, async (t) => {
    const problems = collectProblems(t)
    try {
      await body(t)
    } finally {
      t.strictSame(problems, [], 'the pages reported no error')
    }
  })
}

let launching: Promise<Browser> | undefined

/** One browser for all tests of a process. */
function launchBrowser (): Promise<Browser> {
  launching ??= chromium.launch({
    executablePath: findBrowser(),
    // In containers the sandbox needs rights that root does not have, and the shared memory is small
    args: ['--no-sandbox', '--disable-dev-shm-usage']
  })
  return launching
}

export const closeBrowser = async (): Promise<void> => { await (await launching)?.close() }
root.after(closeBrowser)

export interface OpenOptions extends BrowserContextOptions {
  /** Null to stay at the sign-in. */
  token?: string | null
  /** The part of the address behind #. */
  hash?: string
  /** Errors of the console that the test provokes, such as `status of 409`. */
  expected?: RegExp
  /** Called before the page is loaded. */
  prepare?: (page: Page) => Promise<unknown>
}

/** Opens the page in a context of its own, and signs in. Only in testPage(). */
export async function openPage (
  t: TestScope, address: string, { token = adminToken, hash = '', expected, prepare, ...options }: OpenOptions = {}
): Promise<Page> {
  const browser = await launchBrowser()
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 }, locale: 'en-GB', timezoneId: 'Europe/Berlin', ...options
  })
  context.setDefaultTimeout(60_000)
  const page = await context.newPage()
  const problems = reports.get(t)
  if (problems === undefined) throw new Error('openPage() is for tests of testPage()')
  page.on('pageerror', (error) => { problems.push(String(error.stack ?? error)) })
  page.on('console', (message) => {
    if (isError(message) && expected?.test(message.text()) !== true) problems.push(message.text())
  })
  t.after(async () => {
    await context.close()
  })
  await prepare?.(page)
  await page.goto(`${address}${hash}`)
  if (token !== null) await signIn(page, token)
  return page
}

/** A violation of the policy is an error. */
const isError = (message: ConsoleMessage): boolean => message.type() === 'error' || message.type() === 'warning'

export async function signIn (page: Page, token = adminToken): Promise<void> {
  await page.getByLabel('Bearer token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Pages' }).waitFor()
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * The violations of WCAG 2.2 AA that axe-core finds, as text. The script comes through the debugger of the browser,
 * which the Content Security Policy does not restrict. A button that has just become enabled fades to its color: axe
 * would measure the contrast of a color in between, so transitions are ended first.
 */
export async function findViolations (page: Page): Promise<string[]> {
  await page.evaluate(axe)
  return await page.evaluate(`(async () => {
    for (const transition of document.getAnimations()) transition.finish()
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
    const { violations } = await axe.run({ runOnly: tags })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
      id + ': ' + html.slice(0, 200) + ' ' + failureSummary))
  })()`)
}

/** How far the document can be scrolled horizontally, in pixels. */
export const overflowOf = async (page: Page): Promise<number> => await page.evaluate(`(() => {
  scrollTo(9999, scrollY)
  const { scrollX: overflow } = window
  scrollTo(0, scrollY)
  return overflow
})()`)

/** Waits until the expression is true in the page. The policy of the page forbids page.waitForFunction(). */
export async function untilInPage (page: Page, expression: string): Promise<void> {
  await until(async () => await page.evaluate(expression), { everyMs: 50 })
}

/** Opens the page of the snapshot in row `index` of the list, the newest first. */
export async function openSnapshot (page: Page, index = 0): Promise<void> {
  await page.getByRole('link', { name: 'Snapshots', exact: true }).click()
  await page.locator('table.snapshots tbody th a').nth(index).click()
  await page.getByRole('heading', { name: 'About' }).waitFor()
}

/** Delivers calls of this route only when the gate is open. */
export async function holdCalls (page: Page, route: string): Promise<ReturnType<typeof createGate>> {
  const gate = createGate()
  await page.route(route, async (call) => {
    await gate.pass()
    await call.continue()
  })
  return gate
}
