import { resolve } from 'node:path'
import type { FastifyReply, FastifyRequest } from 'fastify'
import postgres from 'postgres'
import t from 'tap'
import { OptionInvalid } from '../../lib/errors.ts'
import { codecOf } from '../../lib/pipeline/codecs.ts'
import { type ResolvedPluginOptions, resolveOptions } from '../../lib/options/resolve-options.ts'

const pass = async (): Promise<void> => {}
const enabled = { enabled: true, auth: [pass] }
const mebibyte = 1024 * 1024
const storage = { publish: pass, open: pass, stat: pass, remove: pass, list: pass }

function resolveEnabled (options: object): ResolvedPluginOptions {
  const resolution = resolveOptions({ ...enabled, ...options })
  if (!resolution.enabled || !resolution.routes) throw new OptionInvalid('the plugin has no routes')
  return resolution
}

t.test('every option has its default', async (t) => {
  const { isSchemaAllowed, actor, schedule: { schemas, ...schedule }, ...options } = resolveEnabled({})
  t.strictSame({ ...options, schedule }, {
    enabled: true,
    routes: true,
    basePath: '/admin/backup',
    routeOptions: {},
    allowedOrigins: new Set(),
    scopeOptions: { prefix: '/admin/backup' },
    storagePath: resolve('./backups'),
    maxBackups: 50,
    retention: {},
    guard: { shrink: 0.5, minRows: 100, window: 7, ignoreTables: [] },
    allowRestore: false,
    excludeTables: ['audit_logs', 'backup_logs'],
    schedule: {
      enabled: false,
      cron: '0 2 * * *',
      retentionDays: 30,
      mode: 'interval',
      timezone: 'UTC',
      concurrency: 2
    },
    sql: undefined,
    connection: undefined,
    schema: 'public',
    areCallersBounded: false,
    logSchema: 'public',
    auth: [pass],
    restoreAuth: [],
    worker: true,
    connections: 1,
    compression: null,
    limits: { rowBytes: 256 * mebibyte, manifestBytes: 16 * mebibyte },
    openapi: {},
    ui: null,
    storage: undefined
  })
  t.equal(isSchemaAllowed('any'), true)
  t.equal(actor({ user: { id: 'ada' } } as never), 'ada')
  t.strictSame(await schemas(), ['public'])
})

t.test('options override the defaults', async (t) => {
  const sql = postgres({ max: 2 })
  const routeOptions = { config: { rateLimit: { max: 3 } }, onRequest: pass }
  const logSerializers = { user: String }
  const { isSchemaAllowed, actor, schedule: { schemas, ...schedule }, ...options } = resolveEnabled({
    basePath: '/v1/backups/',
    storagePath: '/var/backups/shop',
    format: 'json',
    maxBackups: 7,
    retention: { daily: 7, yearly: 1 },
    guard: { shrink: 0.9, ignoreTables: ['jobs'] },
    allowRestore: true,
    excludeTables: ['sessions'],
    schedule: {
      enabled: true,
      cron: '0 */6 * * *',
      retentionDays: 3,
      mode: 'calendar',
      timezone: 'Europe/Berlin',
      schemas: ['shop', 'blog'],
      concurrency: 5
    },
    sql,
    schema: 'shop',
    schemas: ['shop'],
    logSchema: 'ops',
    restoreAuth: [pass, [pass]],
    actor: () => 'ada',
    worker: false,
    connections: 3,
    compression: { type: 'gzip', level: 9 },
    limits: { rowBytes: 7, manifestBytes: 8 },
    routeOptions,
    allowedOrigins: ['https://admin.example', 'http://localhost:5173'],
    logLevel: 'warn',
    logSerializers,
    openapi: { security: [{ bearer: [] }] },
    ui: { public: true, title: 'Shop', accent: '#123' },
    storage
  })
  t.strictSame({ ...options, sql: undefined, schedule }, {
    enabled: true,
    routes: true,
    basePath: '/v1/backups',
    routeOptions,
    allowedOrigins: new Set(['https://admin.example', 'http://localhost:5173']),
    scopeOptions: { prefix: '/v1/backups', logLevel: 'warn', logSerializers },
    storagePath: resolve('/var/backups/shop'),
    maxBackups: 7,
    retention: { daily: 7, yearly: 1 },
    guard: { shrink: 0.9, minRows: 100, window: 7, ignoreTables: ['jobs'] },
    allowRestore: true,
    excludeTables: ['sessions'],
    schedule: {
      enabled: true, cron: '0 */6 * * *', retentionDays: 3, mode: 'calendar', timezone: 'Europe/Berlin', concurrency: 5
    },
    sql: undefined,
    connection: undefined,
    schema: 'shop',
    areCallersBounded: true,
    logSchema: 'ops',
    auth: [pass],
    restoreAuth: [pass, [pass]],
    worker: false,
    connections: 3,
    compression: { type: 'gzip', level: 9 },
    limits: { rowBytes: 7, manifestBytes: 8 },
    openapi: { security: [{ bearer: [] }] },
    ui: { isPublic: true, title: 'Shop', accent: '#112233', logo: null },
    storage
  })
  t.equal(options.sql, sql)
  t.equal(options.storage, storage)
  t.strictSame([isSchemaAllowed('shop'), isSchemaAllowed('blog')], [true, false])
  t.equal(actor({} as never), 'ada')
  t.strictSame(await schemas(), ['shop', 'blog'])
  t.equal(resolveEnabled({ guard: false }).guard, undefined)
})

t.test('the least and the greatest values are valid', async (t) => {
  const least = {
    storagePath: '/',
    maxBackups: 1,
    excludeTables: ['x'],
    limits: { rowBytes: 1, manifestBytes: 1 },
    guard: { shrink: 0, minRows: 1, window: 1, ignoreTables: [] }
  }
  const greatest = { maxBackups: 100_000, excludeTables: ['x'.repeat(127)], guard: { ...least.guard, window: 1000 } }
  for (const options of [least, greatest]) {
    const { storagePath, maxBackups, excludeTables, limits, guard } = resolveEnabled({ ...least, ...options })
    t.strictSame({ storagePath, maxBackups, excludeTables, limits, guard }, { ...least, ...options })
  }
  for (const schedule of [{ retentionDays: 1, concurrency: 1 }, { retentionDays: 36_500, concurrency: 64 }]) {
    const { retentionDays, concurrency } = resolveEnabled({ schedule }).schedule
    t.strictSame({ retentionDays, concurrency }, schedule)
  }
  t.equal(resolveEnabled({ schedule: { mode: 'interval' } }).schedule.mode, 'interval')
})

t.test('an async function of two parameters is an auth function', async (t) => {
  const auth = [async (request: FastifyRequest, reply: FastifyReply) => { reply.header('a', request.id) }]
  t.strictSame(resolveEnabled({ auth }).auth, auth)
})

t.test('an undefined option has its default', async (t) => {
  t.equal(resolveEnabled({ connection: undefined, maxBackups: undefined }).maxBackups, 50)
})

t.test('the schema of the log and of the schedule defaults to `schema`', async (t) => {
  const options = resolveEnabled({ schema: 'shop' })
  t.equal(options.logSchema, 'shop')
  t.strictSame(await options.schedule.schemas(), ['shop'])
})

t.test('a function may return the schemas of the schedule', async (t) => {
  const options = resolveEnabled({ schedule: { schemas: async () => ['a', 'b'] } })
  t.strictSame(await options.schedule.schemas(), ['a', 'b'])
})

t.test('lists are copied, including inner lists', async (t) => {
  const given = {
    excludeTables: ['a'], auth: [pass, [pass]] as unknown[], restoreAuth: [[pass]], schedule: { schemas: ['a'] }
  }
  const options = resolveEnabled(given)
  given.excludeTables.push('b')
  given.auth.length = 0
  given.restoreAuth[0]?.pop()
  given.schedule.schemas.push('b')
  t.strictSame(options.excludeTables, ['a'])
  t.strictSame(options.auth, [pass, [pass]])
  t.strictSame(options.restoreAuth, [[pass]])
  t.strictSame(await options.schedule.schemas(), ['a'])
})

t.test('the argument is not modified', async (t) => {
  const given = Object.freeze({ ...enabled, basePath: '/x/', schedule: Object.freeze({ cron: '0 */6 * * *' }) })
  t.doesNotThrow(() => resolveOptions(given))
  t.strictSame(given, { ...enabled, basePath: '/x/', schedule: { cron: '0 */6 * * *' } })
})

const wrong: Array<[string, unknown, RegExp]> = [
  ['enabled', 'yes', /true or false/],
  ['basePath', 'admin', /a path such as '\/admin\/backup'/],
  ['basePath', '/', /a path such as/],
  ['basePath', '/:tenant/backup', /a path such as/],
  ['basePath', '/backup/*', /a path such as/],
  ['basePath', '//backup', /a path such as/],
  ['storagePath', '', /the path of a directory/],
  ['storagePath', 'a\0b', /the path of a directory/],
  ['format', 'sql', /'json'/],
  ['maxBackups', 0, /a whole number from 1 to 100000/],
  ['maxBackups', 100_001, /a whole number from 1 to 100000/],
  ['maxBackups', 1.5, /a whole number/],
  ['maxBackups', '50', /a whole number/],
  ['maxBackups', Number.NaN, /a whole number/],
  ['maxBackups', null, /a whole number/],
  ['allowRestore', 'true', /true or false/],
  ['worker', 1, /true or false/],
  ['excludeTables', 'audit_logs', /a list of tables/],
  ['excludeTables', [''], /a list of tables/],
  ['excludeTables', ['x'.repeat(128)], /a list of tables/],
  ['excludeTables', ['a\0b'], /a list of tables/],
  ['schedule', true, /an object/],
  ['schedule', ['0 2 * * *'], /an object/],
  ['sql', 'postgres://localhost/shop', /a postgres\.js instance/],
  ['sql', pass, /a postgres\.js instance/],
  ['connection', 'localhost', /a URL such as/],
  ['connection', 5432, /a URL such as/],
  ['schema', '', /a schema that is not a system schema/],
  ['schema', 'pg_catalog', /not a system schema/],
  ['schema', 'x'.repeat(64), /1 to 63 bytes/],
  ['schema', 'ä'.repeat(32), /1 to 63 bytes/],
  ['schema', 'a\0b', /1 to 63 bytes/],
  ['logSchema', 'information_schema', /not a system schema/],
  ['schemas', 'public', /a list of schemas/],
  ['schemas', ['pg_toast'], /a list of schemas/],
  ['auth', true, /a list of @fastify\/auth functions/],
  ['auth', pass, /a list of @fastify\/auth functions/],
  ['auth', [undefined], /undefined until its plugin was awaited/],
  ['auth', [pass, 'admin'], /a list of @fastify\/auth functions/],
  ['auth', [[]], /non-empty lists/],
  ['auth', [[[pass]]], /non-empty lists/],
  ['auth', Object.assign([pass], { length: 2 }), /a list of @fastify\/auth functions/],
  [
    'auth', [async (request: FastifyRequest, reply: FastifyReply, done: () => void) => done()],
    /must not declare done as well/
  ],
  ['restoreAuth', false, /a list of @fastify\/auth functions/],
  ['restoreAuth', [null], /a list of @fastify\/auth functions/],
  ['limits', 5, /an object/],
  ['openapi', true, /an object/],
  ['actor', 'ada', /a function \(request\) => string/],
  ['storage', '/backups', /the functions publish, open, stat, remove and list/],
  ['storage', null, /the functions publish/],
  ['storage', { ...storage, list: undefined }, /the functions publish/],
  ['guard', true, /an object, or false/],
  ['guard.shrink', 1, /a number from 0 to less than 1/],
  ['guard.minRows', 0, /a whole number of 1 or more/],
  ['guard.window', 0.5, /a whole number from 1 to 1000/],
  ['guard.window', 1001, /a whole number from 1 to 1000/],
  ['guard.ignoreTables', 'jobs', /a list of tables/],
  ['retention', false, /an object/],
  ['retention.daily', 0, /a whole number from 1 to 100000/],
  ['routes', 'no', /true or false/],
  ['routeOptions', [], /an object of Fastify's route options/],
  ['routeOptions', { schema: {} }, /without schema, attachValidation, validatorCompiler/],
  ['routeOptions', { handler: pass }, /without .*handler/],
  ['routeOptions', { compress: true }, /without .*compress/],
  ['routeOptions', { validatorCompiler: undefined }, /without .*validatorCompiler/],
  ['routeOptions', { config: 'x' }, /an object of Fastify's route options/],
  ['allowedOrigins', 'https://admin.example', /a list of origins as browsers send them/],
  ['allowedOrigins', ['*'], /a list of origins/],
  ['allowedOrigins', ['null'], /not 'null'/],
  ['allowedOrigins', ['admin.example'], /a list of origins/],
  ['allowedOrigins', ['https://'], /a list of origins/],
  ['allowedOrigins', ['https://admin.example/'], /without a path/],
  ['allowedOrigins', ['https://admin.example/backup'], /without a path/],
  ['allowedOrigins', ['https://admin.example:443'], /a default port/],
  ['allowedOrigins', ['https://Admin.example'], /as browsers send them/],
  ['allowedOrigins', ['https://user@admin.example'], /as browsers send them/],
  ['allowedOrigins', ['file://admin'], /a list of origins/],
  ['allowedOrigins', [/admin/], /a list of origins/],
  ['logLevel', 5, /the name of a log level/],
  ['logSerializers', 'pino', /an object of functions/],
  ['schedule.enabled', 1, /true or false/],
  ['schedule.cron', '', /a cron expression/],
  ['schedule.retentionDays', 0, /a whole number from 1 to 36500/],
  ['schedule.retentionDays', 36_501, /a whole number from 1 to 36500/],
  ['schedule.mode', 'cron', /'interval' or 'calendar'/],
  ['schedule.timezone', 'Mars/Olympus', /an IANA time zone/],
  ['schedule.timezone', 2, /an IANA time zone/],
  ['schedule.schemas', [], /at least one schema/],
  ['schedule.schemas', ['pg_catalog'], /none of them a system schema/],
  ['compression', 'brotli', /'none', 'gzip', 'zstd', or an object/],
  ['compression.type', 'lz4', /'none', 'gzip' or 'zstd'/],
  ['compression.level', 0, /from 1 to 19/],
  ['connections', 0, /a whole number from 1 to 8/],
  ['connections', 9, /a whole number from 1 to 8/],
  ['connections', 1.5, /a whole number from 1 to 8/],
  ['schedule.concurrency', 0, /a whole number from 1 to 64/],
  ['schedule.concurrency', 65, /a whole number from 1 to 64/],
  ['schedule.concurrency', 1.5, /a whole number from 1 to 64/]
]

for (const [option, value, words] of wrong) {
  const shown = typeof value === 'function' ? 'a function' : JSON.stringify(value) ?? String(value)
  t.test(`${option}: ${shown} is an error that names the valid values`, async (t) => {
    const [name = '', key] = option.split('.')
    const options = { ...enabled, [name]: key === undefined ? value : { [key]: value } }
    const error = t.throws(() => resolveOptions(options), OptionInvalid)
    t.match(error, { code: 'FST_BACKUP_OPTION_INVALID', message: words })
    t.match(error, { message: new RegExp(`^option '${option}' must be `) })
  })
}

t.test('an unknown option is an error that lists the known ones', async (t) => {
  t.throws(() => resolveEnabled({ maxBackup: 3 }), {
    code: 'FST_BACKUP_OPTION_INVALID', message: /no option 'maxBackup'; there are enabled, basePath, .*maxBackups/
  })
  t.throws(() => resolveEnabled({ schedule: { crom: '' } }), {
    code: 'FST_BACKUP_OPTION_INVALID', message: /no option 'schedule\.crom'; there are enabled, cron/
  })
  t.throws(() => resolveEnabled({ constructor: 1 }), { message: /no option 'constructor'/ })
  t.throws(() => resolveEnabled({ conection: undefined }), { message: /no option 'conection'/ })
})

t.test('a compression has a type, and a level of that type', async (t) => {
  for (const [compression, words] of [
    [{}, /'compression.type' must be/],
    [{ type: 'gzip', level: 10 }, /'compression.level' must be .* up to 9 for 'gzip'/],
    [{ type: 'gzip', levle: 1 }, /no option 'compression.levle'/]
  ] as const) t.throws(() => resolveEnabled({ compression }), { code: 'FST_BACKUP_OPTION_INVALID', message: words })
})

t.test('a compression that this version of Node.js does not have is refused', async (t) => {
  if (codecOf('zstd') === undefined) {
    t.throws(() => resolveEnabled({ compression: 'zstd' }), {
      code: 'FST_BACKUP_OPTION_INVALID', message: /'zstd', which this version of Node.js does not have; use 22.15/
    })
  } else t.strictSame(resolveEnabled({ compression: 'zstd' }).compression, { type: 'zstd', level: undefined })
  t.equal(resolveEnabled({ compression: 'none' }).compression, null)
  t.strictSame(resolveEnabled({ compression: 'gzip' }).compression, { type: 'gzip', level: undefined })
})

t.test('options of later releases are unknown', async (t) => {
  t.throws(() => resolveEnabled({ encryption: {} }), { message: /no option 'encryption'/ })
})

t.test('the error for prefix names basePath', async (t) => {
  t.throws(() => resolveEnabled({ prefix: '/x' }), { code: 'FST_BACKUP_OPTION_INVALID', message: /use basePath/ })
  t.throws(() => resolveOptions({ prefix: '/x' }), { message: /use basePath/ }, 'also of a disabled plugin')
  t.throws(() => resolveEnabled({ prefix: 5 }), { message: /use basePath/ })
})

t.test('a prefix that changes nothing is accepted', async (t) => {
  for (const prefix of ['', '/', undefined]) {
    t.equal(resolveEnabled({ prefix }).basePath, '/admin/backup')
    t.equal(resolveOptions({ prefix }).enabled, false)
  }
})

t.test('a plugin without routes needs no auth, and its other options are checked', async (t) => {
  for (const auth of [undefined, false, [], [pass], [undefined]]) {
    const resolution = resolveOptions({ enabled: true, routes: false, auth, allowRestore: true, maxBackups: 7 })
    t.match(resolution, { enabled: true, routes: false, allowRestore: true, maxBackups: 7 })
    t.notOk('basePath' in resolution)
  }
  t.throws(() => resolveOptions({ enabled: true, routes: false, basePath: '/' }), { message: /option 'basePath'/ })
  t.throws(() => resolveOptions({ enabled: true, routes: 0 }), { message: /option 'routes' must be true or false/ })
})

t.test('options must be an object', async (t) => {
  t.throws(() => resolveOptions(null), { code: 'FST_BACKUP_OPTION_INVALID', message: 'the options must be an object' })
  t.throws(() => resolveOptions([]), OptionInvalid)
  t.throws(() => resolveOptions('enabled'), OptionInvalid)
})

t.test('an error does not contain the value, which may be a password', async (t) => {
  const error = t.throws(() => resolveEnabled({ connection: 'mysql://root:hunter2@db/shop' }), OptionInvalid)
  t.notMatch(error, { message: /hunter2/ })
})

t.test('a connection is a URL or options of postgres.js', async (t) => {
  t.equal(resolveEnabled({ connection: 'postgresql://localhost/shop' }).connection, 'postgresql://localhost/shop')
  t.strictSame(resolveEnabled({ connection: { host: 'db' } }).connection, { host: 'db' })
})

t.test('an option that postgres.js would ignore is refused, since it would connect to another database', async (t) => {
  const given: object[] = [{ connectionString: 'postgres://localhost/shop' }, { host: 'db', databse: 'shop' }]
  for (const connection of given) {
    const name = String(Object.keys(connection).at(-1))
    t.throws(() => resolveEnabled({ connection }), {
      code: 'FST_BACKUP_OPTION_INVALID',
      message: new RegExp(`^there is no option 'connection\\.${name}'; there are host, hostname, port, `)
    })
  }
})

t.test('the name of an inner option leads to the option that contains it', async (t) => {
  const names = { cron: 'schedule', retentionDays: 'schedule', shrink: 'guard', daily: 'retention', rowBytes: 'limits' }
  for (const [name, group] of Object.entries(names)) {
    t.throws(() => resolveEnabled({ [name]: 1 }), { message: `there is no option '${name}'; use ${group}.${name}` })
  }
})

t.test('sql and connection exclude each other', async (t) => {
  t.throws(() => resolveEnabled({ sql: postgres(), connection: 'postgres://localhost/shop' }), {
    code: 'FST_BACKUP_OPTION_INVALID', message: /exclude each other/
  })
})

t.test('auth is required and must not be empty', async (t) => {
  t.throws(() => resolveOptions({ enabled: true }), {
    code: 'FST_BACKUP_AUTH_REQUIRED',
    message: /^option 'auth' is required: .* or false when something else protects the routes$/
  })
  t.throws(() => resolveOptions({ enabled: true, auth: undefined }), { code: 'FST_BACKUP_AUTH_REQUIRED' })
  t.throws(() => resolveOptions({ enabled: true, auth: [] }), { code: 'FST_BACKUP_AUTH_REQUIRED' })
})

t.test('auth may be false, and then restores require restoreAuth', async (t) => {
  t.equal(resolveEnabled({ auth: false }).auth, false)
  t.throws(() => resolveEnabled({ auth: false, allowRestore: true }), {
    code: 'FST_BACKUP_AUTH_REQUIRED', message: /restoreAuth/
  })
  t.throws(
    () => resolveEnabled({ auth: false, allowRestore: true, restoreAuth: [] }), { code: 'FST_BACKUP_AUTH_REQUIRED' }
  )
  t.strictSame(resolveEnabled({ auth: false, allowRestore: true, restoreAuth: [pass] }).restoreAuth, [pass])
})

t.test('a disabled plugin needs no auth, and its other options are checked', async (t) => {
  t.strictSame(resolveOptions({}), { enabled: false })
  t.strictSame(resolveOptions({ enabled: false, allowRestore: true, auth: false }), { enabled: false })
  t.strictSame(resolveOptions({ enabled: false, auth: [undefined] }), { enabled: false })
  t.throws(() => resolveOptions({ enabled: false, maxBackup: 3 }), OptionInvalid)
  t.throws(() => resolveOptions({ enabled: 'true' }), OptionInvalid)
})

t.test('callers may name any schema except system schemas', async (t) => {
  const { isSchemaAllowed } = resolveEnabled({})
  t.equal(isSchemaAllowed('tenant_1'), true)
  t.equal(isSchemaAllowed('pg_catalog'), false)
  t.equal(isSchemaAllowed('pg_temp_3'), false)
  t.equal(isSchemaAllowed('information_schema'), false)
})

t.test('a list restricts the schemas that callers may name', async (t) => {
  const { isSchemaAllowed } = resolveEnabled({ schemas: ['a', '__proto__'] })
  t.equal(isSchemaAllowed('a'), true)
  t.equal(isSchemaAllowed('__proto__'), true)
  t.equal(isSchemaAllowed('public'), false)
})

t.test('a function restricts the schemas that callers may name, and cannot allow system schemas', async (t) => {
  const { isSchemaAllowed } = resolveEnabled({ schemas: (name: string) => name !== 'secret' })
  t.equal(isSchemaAllowed('a'), true)
  t.equal(isSchemaAllowed('secret'), false)
  t.equal(isSchemaAllowed('pg_catalog'), false)
})

t.test('the function is called with the request, if there is one', async (t) => {
  const calls: unknown[][] = []
  const { isSchemaAllowed, areCallersBounded } = resolveEnabled({
    schemas: (...given: unknown[]) => calls.push(given) > 0
  })
  const request = {} as FastifyRequest
  t.equal(isSchemaAllowed('a', request), true)
  t.equal(isSchemaAllowed('a'), true)
  t.strictSame(calls, [['a', request], ['a', undefined]])
  t.equal(areCallersBounded, true)
  t.equal(resolveEnabled({}).areCallersBounded, false)
})

t.test('a promise that rejects denies access and does not terminate the process', async (t) => {
  t.equal(resolveEnabled({ schemas: () => Promise.reject(new Error('down')) as never }).isSchemaAllowed('a'), false)
  await new Promise(setImmediate)
})

t.test('an invalid option of openapi is refused', async (t) => {
  for (const [openapi, message] of [
    [{ security: { bearer: [] } }, /^option 'openapi.security' must be a list of security requirements/],
    [{ security: [{ bearer: 'admin' }] }, /^option 'openapi.security' must be/],
    [{ tags: [] }, /no option 'openapi.tags'; there are security$/]
  ]) {
    const refused = { code: 'FST_BACKUP_OPTION_INVALID', message }
    t.throws(() => resolveOptions({ enabled: true, auth: false, openapi }), refused)
  }
})

t.test('an invalid limit is an error', async (t) => {
  for (const [limits, message] of [
    [{ rowBytes: 0 }, /^option 'limits.rowBytes' must be a whole number of bytes, 1 or more$/],
    [{ manifestBytes: 1.5 }, /^option 'limits.manifestBytes' must be/],
    [{ rows: 1 }, /no option 'limits.rows'; there are rowBytes, manifestBytes/]
  ] as const) t.throws(() => resolveEnabled({ limits }), { code: 'FST_BACKUP_OPTION_INVALID', message })
})

t.test('each limit has its own default', async (t) => {
  t.strictSame(resolveEnabled({}).limits, { rowBytes: 256 * mebibyte, manifestBytes: 16 * mebibyte })
  t.strictSame(resolveEnabled({ limits: { rowBytes: 5 } }).limits, { rowBytes: 5, manifestBytes: 16 * mebibyte })
})

t.test('a promise denies access', async (t) => {
  t.equal(resolveEnabled({ schemas: () => Promise.resolve(true) as never }).isSchemaAllowed('a'), false)
})

t.test('the function must not be async', async (t) => {
  const isA = async (name: string): Promise<boolean> => name === 'a'
  for (const schemas of [isA, isA.bind(null), async function * () { yield true }, function * () { yield true }]) {
    t.throws(() => resolveEnabled({ schemas: schemas as never }), {
      code: 'FST_BACKUP_OPTION_INVALID', message: /^option 'schemas' must be .* that is not async$/
    })
  }
})
