import { chown, copyFile, mkdir, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { connectBySettings, createPool, poolSettings, type Sql } from '../../../lib/postgres/driver/connection.ts'
import { defaultAuthorityFile, encryptionFor } from '../../../lib/postgres/driver/encryption.ts'
import { publicDatabaseError } from '../../../lib/postgres/database-error.ts'
import { inTransaction } from '../../../lib/postgres/driver/transaction.ts'
import { useEngine, usePlace } from '../../support/engine.ts'
import { storageWith } from '../../support/storage-double.ts'
import { useDatabase, type TestScope } from '../../support/database.ts'
import { useDirectory } from '../../support/directory.ts'
import { startPostgres } from '../../support/embedded-postgres.js'
import { certificate, certificatePath, useTlsServer } from '../../support/tls-server.ts'

const invalid = (message: RegExp): { code: string, message: RegExp } =>
  ({ code: 'FST_BACKUP_OPTION_INVALID', message })
const variables = [
  'DATABASE_URL', 'HOME', 'PGAPPNAME', 'PGHOST', 'PGPORT', 'PGSSL', 'PGSSLMODE', 'PGSSLROOTCERT', 'PGSSLCERT',
  'PGSSLKEY', 'PGSSLCRL', 'PGCHANNELBINDING', 'PGSSLMINPROTOCOLVERSION'
]

/** Sets these variables and unsets the others, except HOME; restores all after the test. */
function setEnvironment (t: TestScope, values: Record<string, string> = {}): void {
  const before = variables.map((name) => [name, process.env[name]] as const)
  const set = (name: string, value: string | undefined): void => {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  for (const name of variables) if (name !== 'HOME') set(name, undefined)
  for (const [name, value] of Object.entries(values)) set(name, value)
  t.after(async () => { for (const [name, value] of before) set(name, value) })
}

const sslOf = (pool: Sql): unknown => (pool.options as { ssl?: unknown }).ssl
const query = (parameters: Record<string, string>): string => new URLSearchParams(parameters).toString()
const authority = certificatePath('authority')
const ask = async (pool: Sql): Promise<unknown> => {
  try {
    return await inTransaction(pool, 'ISOLATION LEVEL READ COMMITTED READ ONLY',
      async (tx) => await tx.query('SELECT 1 AS one'))
  } catch (error) {
    throw publicDatabaseError(error)
  } finally {
    await pool.end()
  }
}

t.test('sslmode of the URL and PGSSLMODE, and their precedence', async (t) => {
  setEnvironment(t, { HOME: await useDirectory(t) })
  const ca = certificate('authority')
  const host = 'postgres://u@db.example/x'
  t.equal(sslOf(createPool(host)), false)
  t.equal(sslOf(createPool(`${host}?sslmode=`)), false, 'an empty parameter has no effect')
  t.equal(sslOf(createPool(`${host}?sslmode=disable&sslrootcert=/nowhere`)), false)
  t.equal(sslOf(createPool(`${host}?sslmode=prefer`)), 'prefer')
  t.strictSame(sslOf(createPool(`${host}?sslmode=require`)), { rejectUnauthorized: false })
  const fullModes = [
    'sslmode=verify-full', 'ssl=verify-full', 'ssl=true', 'sslmode=verify-full&sslrootcert=system', 'sslrootcert=system'
  ]
  for (const mode of fullModes) {
    t.strictSame(sslOf(createPool(`${host}?${mode}`)), { rejectUnauthorized: true }, mode)
  }
  const withAuthority = (sslmode: string): unknown =>
    sslOf(createPool(`${host}?${query({ sslmode, sslrootcert: authority })}`))
  t.strictSame(withAuthority('verify-full'), { rejectUnauthorized: true, ca })
  for (const mode of ['verify-ca', 'require']) {
    t.match(withAuthority(mode), { rejectUnauthorized: true, ca, checkServerIdentity: Function }, mode)
  }
  const range = 'ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.3'
  t.strictSame(sslOf(createPool(`${host}?sslmode=require&${range}`)),
    { rejectUnauthorized: false, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' })
  const { connection } = createPool(`${host}?sslmode=require&application_name=x`).options
  t.strictSame(connection, { application_name: 'x' }, 'no parameter of libpq is sent to the server')

  Object.assign(process.env, { PGSSLMODE: 'verify-full', PGSSLROOTCERT: authority })
  for (const connection of [host, undefined, { host: 'db.example' }]) {
    t.strictSame(sslOf(createPool(connection)), { rejectUnauthorized: true, ca })
  }
  t.equal(sslOf(createPool(`${host}?sslmode=disable`)), false, 'the URL has precedence over the environment')
  t.equal(sslOf(createPool(`${host}?ssl=false`)), false)
  t.equal(sslOf(createPool({ host: 'db.example', ssl: 'require' })), 'require', 'ssl has precedence over both')
  t.strictSame(sslOf(createPool('postgres://u@127.0.0.1/x')), { rejectUnauthorized: true, ca, host: '127.0.0.1' })
  t.equal(sslOf(createPool('postgres://u@/x?host=/dir')), false, 'a Unix-domain socket is never encrypted')
  Object.assign(process.env, { PGSSLMODE: '', PGSSLROOTCERT: '', PGSSL: 'require' })
  t.strictSame(sslOf(createPool(host)), { rejectUnauthorized: false })
})

const otherDirectory = process.platform === 'win32' && 'it is in another directory'
t.test('an authority in the home directory is used, as by libpq', { skip: otherDirectory }, async (t) => {
  const home = await useDirectory(t)
  setEnvironment(t, { HOME: home })
  const needsAuthority = invalid(/verify-ca needs .* sslrootcert or PGSSLROOTCERT/)
  t.throws(() => createPool('postgres://h/x?sslmode=verify-ca'), needsAuthority)
  await mkdir(join(home, '.postgresql'))
  await copyFile(authority, join(home, '.postgresql', 'root.crt'))
  for (const mode of ['verify-ca', 'require']) {
    const ssl = sslOf(createPool(`postgres://h/x?sslmode=${mode}`))
    t.match(ssl, { rejectUnauthorized: true, ca: certificate('authority') }, mode)
  }
  t.strictSame(sslOf(createPool('postgres://h/x?sslmode=verify-full&sslrootcert=system')), { rejectUnauthorized: true })
})

t.test('the directory of that authority depends on the platform', async (t) => {
  process.env.APPDATA = 'roaming'
  t.after(async () => { delete process.env.APPDATA })
  t.equal(defaultAuthorityFile('win32'), join('roaming', 'postgresql', 'root.crt'))
  t.equal(defaultAuthorityFile('linux'), join(homedir(), '.postgresql', 'root.crt'))
})

t.test('the certificate of a server with an IP address must contain it, unless the options name a host', async (t) => {
  const address = ['10.0.0.1']
  for (const ssl of [true, 'verify-full'] as const) t.strictSame(encryptionFor(ssl, address), { host: '10.0.0.1' })
  t.strictSame(encryptionFor({ ca: 'x' }, address), { ca: 'x', host: '10.0.0.1' })
  const acceptAll = { checkServerIdentity: () => undefined }
  const unchanged = [
    false, 'require', { rejectUnauthorized: false }, acceptAll, { servername: 'db' }, { host: 'db' }
  ] as const
  for (const ssl of unchanged) t.equal(encryptionFor(ssl, address), ssl)
  t.equal(encryptionFor(true, ['db.example']), true)
})

t.test('settings that cannot be met exactly are refused by their names', async (t) => {
  const directory = await useDirectory(t)
  setEnvironment(t, { HOME: directory })
  const text = join(directory, 'text.pem')
  await writeFile(text, 'no certificate')
  const refused: Array<[Record<string, string>, RegExp]> = [
    [{ sslmode: 'allow' }, /^sslmode of option 'connection' must be one of disable, .*; allow is not supported/],
    [{ sslmode: 'verify_full' }, /must be one of/],
    [{ ssl: 'yes' }, /^ssl of option 'connection' must be one of/],
    [{ sslrootcert: authority }, /^sslrootcert of option 'connection' is given without a mode/],
    [{ sslmode: 'prefer', sslrootcert: authority }, /^sslrootcert of .* no effect with sslmode prefer/],
    [{ sslmode: 'prefer', sslcert: authority, sslkey: authority }, /^sslcert of .* no effect/],
    [{ sslmode: 'prefer', ssl_min_protocol_version: 'TLSv1.3' }, /^ssl_min_protocol_version of .* no effect/],
    [{ sslmode: 'verify-ca', sslrootcert: 'system' }, /system, which needs sslmode verify-full/],
    [{ sslmode: 'require', sslrootcert: 'system' }, /system, which needs sslmode verify-full/],
    [
      { sslmode: 'verify-full', sslrootcert: join(directory, 'none') },
      /^sslrootcert of option 'connection' names a file that cannot be read \(ENOENT\)/
    ],
    [
      { sslmode: 'verify-full', sslrootcert: text },
      /^sslrootcert of option 'connection' contains no certificate/
    ],
    [{ sslmode: 'require', sslcert: certificatePath('client') }, /^sslcert of .* needs its counterpart/],
    [{ sslmode: 'require', sslkey: certificatePath('client-key') }, /^sslkey of .* needs its counterpart/],
    [
      { sslmode: 'require', sslcert: certificatePath('client'), sslkey: certificatePath('server-key') },
      /^sslcert of .*, sslkey of .* cannot be used for TLS \(ERR_/
    ],
    [{ sslmode: 'require', ssl_min_protocol_version: 'TLSv9' }, /cannot be used for TLS/],
    [
      { sslmode: 'verify-full', sslcrl: text },
      /^sslcrl of option 'connection' requires what this driver cannot do/
    ],
    [{ sslmode: 'require', channel_binding: 'require' }, /^channel_binding of/]
  ]
  for (const [parameters, message] of refused) {
    t.throws(() => createPool(`postgres://h/x?${query(parameters)}`), invalid(message), JSON.stringify(parameters))
  }
  const harmless = 'channel_binding=prefer&gssencmode=disable&sslcertmode=allow'
  t.doesNotThrow(() => createPool(`postgres://h/x?sslmode=require&${harmless}`))
  t.throws(() => createPool('postgres://10.0.0.1,10.0.0.2/x?sslmode=verify-full'), invalid(/several servers/))
  const unusable = invalid(/'connection.ssl' cannot be used for TLS/)
  t.throws(() => createPool({ host: 'h', ssl: { cert: 'no certificate' } }), unusable)
  t.throws(() => createPool({ host: 'h', sslmode: 'verify-full' } as object),
    invalid(/no option 'connection.sslmode'; use 'connection.ssl'/))
  const settings = { PGSSLMODE: 'allow', PGSSLROOTCERT: text, PGSSLCRL: text, PGCHANNELBINDING: 'require' }
  for (const [name, value] of Object.entries(settings)) {
    setEnvironment(t, { [name]: value })
    for (const connection of ['postgres://h/x', undefined, {}]) {
      t.throws(() => createPool(connection), invalid(new RegExp(`^${name} `)), name)
    }
  }
})

t.test('a connection is as secure as its mode requires, and the fault of a certificate is reported', async (t) => {
  const { url } = await useDatabase(t)
  const directory = await useDirectory(t)
  setEnvironment(t, { HOME: directory })
  const { username, password, pathname } = new URL(url)
  type ServerCertificate = Parameters<typeof useTlsServer>[2]
  type UrlParameters = Record<string, string>
  const reach = async (name: ServerCertificate, host: string, parameters: UrlParameters): Promise<object> => {
    const { port, connections } = await useTlsServer(t, url, name)
    const address = `${username}:${password}@${host}:${port}${pathname}`
    t.strictSame(await ask(createPool(`postgres://${address}?${query(parameters)}`)), [{ one: 1 }])
    return { ...connections[0] }
  }
  const full = { sslmode: 'verify-full', sslrootcert: authority }
  const secure = { encrypted: true, client: undefined }
  t.strictSame(await reach('server', 'localhost', full), secure)
  t.strictSame(await reach('server', '127.0.0.1', full), secure)
  t.strictSame(await reach('other-host', 'localhost', { ...full, sslmode: 'verify-ca' }), secure)
  t.strictSame(await reach('self-signed', 'localhost', { sslmode: 'require' }), secure)
  t.strictSame(await reach('self-signed', 'localhost', { sslmode: 'prefer' }), secure)
  t.strictSame(await reach(undefined, 'localhost', { sslmode: 'prefer' }), { encrypted: false, client: undefined })
  const withClient = (key: 'client-key' | 'locked-key'): UrlParameters =>
    ({ ...full, sslcert: certificatePath('client'), sslkey: certificatePath(key) })
  const authenticated = { encrypted: true, client: 'postgres' }
  t.strictSame(await reach('server', 'localhost', withClient('client-key')), authenticated)
  await t.rejects(reach('server', 'localhost', { ...withClient('locked-key'), sslpassword: 'wrong' }),
    invalid(/sslkey .* cannot be used for TLS/))
  t.strictSame(await reach('server', 'localhost', { ...withClient('locked-key'), sslpassword: 'open' }), authenticated)

  const fails = async (
    name: ServerCertificate, host: string, parameters: UrlParameters, expected: object
  ): Promise<void> => {
    const error: unknown = await reach(name, host, parameters).then(() => ({}), (error: unknown) => error)
    const { code, message, statusCode } = error as Record<string, unknown>
    t.match({ code, message, statusCode }, expected, `${name} ${host} ${JSON.stringify(parameters)}`)
  }
  const insecure = (message: RegExp): object => ({ code: 'FST_BACKUP_DATABASE_INSECURE', statusCode: 500, message })
  const forAnotherHost = insecure(/ALTNAME_INVALID\): the certificate of the server is for another host/)
  await fails('other-host', 'localhost', full, forAnotherHost)
  await fails('localhost-only', '127.0.0.1', full, insecure(/for another host/))
  await fails('expired', 'localhost', full, insecure(/\(CERT_HAS_EXPIRED\): .* out of date/))
  await fails('self-signed', 'localhost', full, insecure(/SELF_SIGNED.*no trusted authority/))
  await fails('server', 'localhost', { ...full, sslrootcert: certificatePath('other-authority') },
    insecure(/no trusted authority/))
  await fails('server', 'localhost', { sslmode: 'verify-full' },
    insecure(/no trusted authority .* sslrootcert, PGSSLROOTCERT or ssl.ca/))
  await fails('self-signed', 'localhost', { ...full, sslmode: 'verify-ca' }, insecure(/SELF_SIGNED/))
  await fails(undefined, 'localhost', { sslmode: 'require' }, {
    code: 'FST_BACKUP_DATABASE_UNAVAILABLE',
    message: /while TLS was negotiated; see that the server has ssl = on/
  })
})

const noSockets = process.platform === 'win32' && 'there are no Unix-domain sockets'
t.test('a URL can name a Unix-domain socket in the forms of libpq', { skip: noSockets }, async (t) => {
  const { url } = await useDatabase(t)
  const { username, password, pathname, port, hostname } = new URL(url)
  const directory = await useDirectory(t)
  setEnvironment(t, { HOME: directory, PGHOST: '/nowhere' })
  const path = join(directory, '.s.PGSQL.5433')
  const server = createServer((client) => {
    const database = connect(Number(port), hostname)
    client.pipe(database).pipe(client)
  }).listen(path)
  t.after(async () => { server.close() })
  const login = `${username}:${password}`
  const parameters = { host: directory, port: '5433', user: username, password: decodeURIComponent(password) }
  for (const socket of [
    `postgres://${login}@${pathname}?host=${directory}&port=5433`,
    `postgresql:///${pathname.slice(1)}?${query(parameters)}`,
    `postgres://?${query({ ...parameters, dbname: pathname.slice(1) })}`,
    `postgres://${login}@${encodeURIComponent(directory)}:5433${pathname}?sslmode=verify-full`,
    `postgres://${login}@elsewhere${pathname}?host=${directory}&port=5433`
  ]) t.strictSame(await ask(createPool(socket)), [{ one: 1 }], socket.replaceAll(password, '…'))
  process.env.PGHOST = directory
  process.env.PGPORT = '5433'
  t.strictSame(await ask(createPool(`postgres://${login}@${pathname}`)), [{ one: 1 }], 'PGHOST')
  const malformed = [
    'postgres:///x?host=/a,/b', 'postgres:///x?host=/a&port=5433,5434', 'postgres:///x?port=0', 'nothing'
  ]
  for (const url of malformed) t.throws(() => createPool(url), invalid(/is not a valid URL/), url)
})

t.test('verify-ca also checks the authority in another thread', async (t) => {
  const { url } = await useDatabase(t)
  const directory = await useDirectory(t)
  setEnvironment(t, { HOME: directory })
  const { username, password, pathname } = new URL(url)
  const cases = [['other-host', [{ one: 1 }]], ['self-signed', 'FST_BACKUP_DATABASE_INSECURE']] as const
  for (const [name, wanted] of cases) {
    const { port } = await useTlsServer(t, url, name)
    const parameters = query({ sslmode: 'verify-ca', sslrootcert: authority })
    const pool = createPool(`postgres://${username}:${password}@localhost:${port}${pathname}?${parameters}`)
    const settings = poolSettings(pool)
    if (settings === undefined) throw new TypeError('the connection cannot be rebuilt')
    const beside = connectBySettings(structuredClone(settings), async () => '')
    t.strictSame(await ask(beside).catch(({ code }) => code), wanted, name)
    await pool.end()
  }
})

t.test('a backup and a restore use TLS, also in a worker', async (t) => {
  const server = await startPostgres({})
  t.after(async () => { await server.stop() })
  const { uid, gid } = await stat(server.dataDir)
  for (const name of ['server', 'server-key'] as const) {
    const path = join(server.dataDir, `${name}.pem`)
    await writeFile(path, certificate(name), { mode: 0o600 })
    if (process.getuid?.() === 0) await chown(path, uid, gid)
  }
  const before = process.env.TEST_DATABASE_URL
  process.env.TEST_DATABASE_URL = server.url
  t.after(async () => { process.env.TEST_DATABASE_URL = before })
  const place = await usePlace(t)
  await place.sql.unsafe("ALTER SYSTEM SET ssl_cert_file = 'server.pem'")
  await place.sql.unsafe("ALTER SYSTEM SET ssl_key_file = 'server-key.pem'")
  await place.sql.unsafe('ALTER SYSTEM SET ssl = on')
  await server.restart()

  setEnvironment(t, { HOME: place.directory, PGSSLMODE: 'verify-full', PGSSLROOTCERT: authority, PGAPPNAME: 'service' })
  const seen: unknown[] = []
  const engine = useEngine(t, place, {
    worker: true,
    storage: storageWith(place.directory, {
      async publish (storage, spoolPath, name) {
        seen.push(...await place.sql`SELECT application_name LIKE 'fastify-backup %' AS run, bool_and(ssl) AS ssl
          FROM pg_stat_ssl JOIN pg_stat_activity a USING (pid)
          WHERE application_name = 'service' OR application_name LIKE 'fastify-backup %' GROUP BY 1 ORDER BY 1`)
        await storage.publish(spoolPath, name)
      }
    })
  })
  const { id } = await engine.create()
  t.match(await engine.restore(id), { rowCount: 5 })
  const everywhere = [{ run: false, ssl: true }, { run: true, ssl: true }]
  // The run itself may have ended before its file is published
  const distinct = [...new Set(seen.map((line) => JSON.stringify(line)))].sort()
  t.strictSame(distinct, everywhere.map((line) => JSON.stringify(line)))

  process.env.PGSSLROOTCERT = certificatePath('other-authority')
  const stranger = useEngine(t, place, { worker: true })
  await t.rejects(stranger.create(), { code: 'FST_BACKUP_DATABASE_INSECURE' })
  await t.rejects(stranger.list(), { code: 'FST_BACKUP_DATABASE_INSECURE' })
})
