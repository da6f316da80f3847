import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import autoload from '@fastify/autoload'
import Fastify, {
  type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest, type FastifyServerOptions
} from 'fastify'
import postgres from 'postgres'
import t from 'tap'
import backup, * as library from '../lib/index.ts'
import { BackupSchema, backupPlugin } from '../lib/index.ts'
import { useDirectory } from './support/directory.ts'

declare module 'fastify' {
  interface FastifyInstance { verifyJWT: (request: FastifyRequest, reply: FastifyReply) => Promise<void> }
}

// No server listens there. These tests need no database
const connection = 'postgres://localhost:1/nowhere'
const pass = async (): Promise<void> => {}
const options = { enabled: true, connection, auth: [pass] }

interface Built { app: FastifyInstance, log: string[], lines: Array<Record<string, unknown>> }

/** An app, and the messages and the lines that it logs. */
function build (t: { after: (clean: () => Promise<unknown>) => void }): Built {
  const log: string[] = []
  const lines: Built['lines'] = []
  const stream = new Writable({
    write (chunk, encoding, done) {
      const line = JSON.parse(String(chunk))
      lines.push(line)
      log.push(line.msg)
      done()
    }
  })
  const app = Fastify({ logger: { level: 'info', stream } })
  t.after(() => app.close())
  return { app, log, lines }
}

t.test('the plugin is the default export and a named one; the schemas are exported, too', async (t) => {
  t.equal(backup, backupPlugin)
  t.equal(library.default, backupPlugin)
  t.ok(BackupSchema.properties.id)
})

t.test('an enabled plugin decorates the app and adds its routes, which require authentication', async (t) => {
  const { app } = build(t)
  await app.register(backup, {
    ...options, storagePath: await useDirectory(t), auth: [async () => { throw new Error('You are not Ada') }]
  })
  await app.ready()
  t.type(app.backup.create, 'function')
  const response = await app.inject('/admin/backup')
  t.equal(response.statusCode, 401)
})

t.test('a pool of the application is used and not closed', async (t) => {
  const sql = postgres(connection, { max: 2 })
  const { app } = build(t)
  await app.register(backup, { enabled: true, sql, auth: [pass], storagePath: await useDirectory(t) })
  await app.ready()
  await app.close()
  await t.rejects(sql`select 1`, { code: 'ECONNREFUSED' }, 'the code of a closed pool would be CONNECTION_ENDED')
})

t.test('options may be a function of the parent scope, which has the decorators of earlier plugins', async (t) => {
  const { app } = build(t)
  const storagePath = await useDirectory(t)
  app.register(async (instance) => { instance.decorate('unseen', 1) })
  app.decorate('verifyJWT', async () => { throw new Error('No token') })
  app.register(backup, (parent) => ({ ...options, storagePath, auth: [parent.verifyJWT] }))
  await app.ready()
  t.match((await app.inject('/admin/backup')).json(), { statusCode: 401, message: 'No token' })
})

t.test('the plugin can be registered on an app with a custom logger', async (t) => {
  interface ShopLogger extends FastifyBaseLogger { audit: (message: string) => void }
  const { app: { log } } = build(t)
  const loggerInstance: ShopLogger = Object.assign(Object.create(log), { audit () {} })
  const app = Fastify({ loggerInstance })
  t.after(() => app.close())
  await app.register(backup, { enabled: false })
  await t.rejects(app.backup.create(), { code: 'FST_BACKUP_DISABLED' })
})

t.test('the namespace that require() returns can be registered', async (t) => {
  const { app } = build(t)
  await app.register(Promise.resolve(library), { enabled: false })
  await app.ready()
  t.ok(app.hasDecorator('backup'))
})

t.test('every call of a disabled plugin rejects, listeners are accepted, and there are no routes', async (t) => {
  const { app, log } = build(t)
  await app.register(backup, {})
  await app.ready()
  const service = app.backup
  const id = '00000000-0000-4000-8000-000000000000'
  const calls: Array<() => Promise<unknown>> = [
    () => service.create(), () => service.list(), () => service.get(id), () => service.download(id),
    () => service.plan(id), () => service.restore(id),
    () => service.remove(id), () => service.update(id, { pinned: true }), () => service.prune(), () => service.status()
  ]
  for (const call of calls) await t.rejects(call(), { code: 'FST_BACKUP_DISABLED', statusCode: 503 })
  t.equal(
    service.on('backup:started', () => {}).once('backup:failed', () => {}).off('backup:started', () => {}), service
  )
  t.equal(log.length, 1)
  t.match(log[0], /disabled/)
  t.equal((await app.inject('/admin/backup')).json().message, 'Route GET:/admin/backup not found')
})

t.test('a second registration in the same scope fails, also of a disabled plugin', async (t) => {
  for (const [first, second] of [
    [{ enabled: false }, { enabled: false }], [{ enabled: false }, { ...options, storagePath: await useDirectory(t) }]
  ]) {
    const { app } = build(t)
    app.register(backup, first ?? {})
    app.register(backup, second ?? {})
    await t.rejects(async () => { await app.ready() }, { code: 'FST_BACKUP_ALREADY_REGISTERED' })
  }
})

t.test('a child scope may register the plugin again', async (t) => {
  const { app } = build(t)
  await app.register(backup, { enabled: false })
  await app.register(async (child) => {
    t.equal(child.backup, app.backup)
    await child.register(backup, { enabled: false })
    t.not(child.backup, app.backup)
  })
  await t.resolves(async () => { await app.ready() })
})

t.test('the registration fails if options are invalid', async (t) => {
  for (const [given, code] of [
    [{ enabled: true }, 'FST_BACKUP_AUTH_REQUIRED'], [{ ...options, prefix: '/x' }, 'FST_BACKUP_OPTION_INVALID'], [
      { ...options, maxBackups: 0 }, 'FST_BACKUP_OPTION_INVALID'
    ]
  ] as const) {
    const { app } = build(t)
    app.register(backup, given)
    await t.rejects(async () => { await app.ready() }, { code })
  }
})

t.test('logLevel and logSerializers apply to the routes of the plugin, as in every plugin', async (t) => {
  const { app, lines } = build(t)
  await app.register(backup, {
    ...options,
    storagePath: await useDirectory(t),
    logLevel: 'debug',
    logSerializers: { req: ({ url }: FastifyRequest) => `hidden ${url.length}` }
  })
  app.get('/', async () => 'ok')
  await app.ready()
  lines.length = 0
  await app.inject('/admin/backup/x')
  await app.inject('/')
  const requests = lines.filter(({ msg }) => msg === 'incoming request')
  t.strictSame(requests.map(({ req }) => typeof req), ['string', 'object'])
  t.equal(lines[0]?.req, 'hidden 15')

  const silent = build(t)
  await silent.app.register(backup, { ...options, storagePath: await useDirectory(t), logLevel: 'silent' })
  silent.app.get('/', async () => 'ok')
  await silent.app.ready()
  silent.log.length = 0
  t.equal((await silent.app.inject('/admin/backup/x')).statusCode, 400)
  t.strictSame(silent.log, [])
  await silent.app.inject('/')
  t.strictSame(silent.log, ['incoming request', 'request completed'])
})

t.test('routes: false adds the service without routes and without auth', async (t) => {
  const { app } = build(t)
  await app.register(backup, {
    enabled: true, routes: false, connection, allowRestore: true, storagePath: await useDirectory(t)
  })
  await app.ready()
  t.equal((await app.inject('/admin/backup')).json().message, 'Route GET:/admin/backup not found')
  t.match(await app.backup.status(), { healthy: false, allowRestore: true })
})

t.test('@fastify/autoload registers the plugin from a file, with the options that the file exports', async (t) => {
  const dir = await useDirectory(t)
  const entry = new URL('../lib/index.js', import.meta.url)
  const settings = JSON.stringify({ ...options, auth: false, storagePath: dir, routeOptions: { config: {} } })
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  await mkdir(join(dir, 'plugins', 'backup'), { recursive: true })
  const text = `export { default } from '${String(entry)}'\nexport const autoConfig = ${settings}\n`

  await writeFile(join(dir, 'plugins', 'backup.js'), text)
  for (const settings of [{}, { dirNameRoutePrefix: false }]) {
    const { app } = build(t)
    await app.register(autoload, { dir: join(dir, 'plugins'), ...settings })
    await app.ready()
    t.equal((await app.inject('/admin/backup/x')).statusCode, 400)
  }

  await rm(join(dir, 'plugins', 'backup.js'))
  await writeFile(join(dir, 'plugins', 'backup', 'index.js'), `${text}export const prefixOverride = ''\n`)
  const { app } = build(t)
  await app.register(autoload, { dir: join(dir, 'plugins') })
  await app.ready()
  t.equal((await app.inject('/admin/backup/x')).statusCode, 400)
})

t.test('a requestTimeout of the app is reported once, since Node.js ends slow imports with it', async (t) => {
  const lines: string[] = []
  const stream = new Writable({
    write (chunk, encoding, done) {
      lines.push(String(chunk))
      done()
    }
  })
  const warnings = async (server: FastifyServerOptions, given: object): Promise<string[]> => {
    lines.length = 0
    const app = Fastify({ logger: { level: 'warn', stream }, ...server })
    await app.register(backup, { ...options, ...given, storagePath: await useDirectory(t) })
    await app.register(async (child) => {
      await child.register(backup, { ...options, ...given, storagePath: await useDirectory(t) })
    }, { prefix: '/other' })
    await app.ready()
    await app.close()
    return lines.filter((line) => line.includes('requestTimeout'))
  }
  const [warning = '{}', ...others] = await warnings({ requestTimeout: 90_000 }, {})
  t.match(JSON.parse(warning), { level: 40, requestTimeout: 90_000, msg: /^an import fails/ })
  t.strictSame(others, [])
  t.strictSame(await warnings({}, {}), [])
  t.strictSame(await warnings({ requestTimeout: 90_000 }, { routes: false }), [])
})
