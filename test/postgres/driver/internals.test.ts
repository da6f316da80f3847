import { readFileSync } from 'node:fs'
import { connect, Socket } from 'node:net'
import { Readable, Writable } from 'node:stream'
import t, { type Test } from 'tap'
import postgres, { type Options, type PostgresType } from 'postgres'
import {
  copyInstance, endWithoutCopyFail, parsedOptions, replaceSettlers, resumeSocket, setAddress, setSocket, takePushedRows,
  takeUntransformedRows
} from '../../../lib/postgres/driver/internals.ts'
import type { Sql } from '../../../lib/postgres/driver/connection.ts'
import { useDatabase } from '../../support/database.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.resolve('postgres')), 'utf8'))

/** Reported when an assertion fails: what the installed version of postgres.js does not do. */
const lacks = (what: string): string =>
  `postgres.js ${String(version)} must do this for lib/postgres/driver/internals.ts, as 3.4.9 does: ${what}`

async function useSql (t: Test, options: Options<Record<string, PostgresType>> = {}): Promise<Sql> {
  const { url } = await useDatabase(t)
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice () {}, ...options })
  t.after(async () => { await sql.end({ timeout: 1 }) })
  return sql
}

/** Runs a COPY; `onOpen` gets its stream. Resolves with what postgres.js called, in order. */
async function runCopy (sql: Sql, text: string, onOpen: (stream: unknown) => void): Promise<string[]> {
  const calls: string[] = []
  await new Promise<void>((resolve) => {
    const query = sql.unsafe(text)
    replaceSettlers(query, {
      resolve (value) {
        calls.push(value instanceof Readable || value instanceof Writable ? 'stream' : 'result')
        if (calls.at(-1) === 'stream') onOpen(value)
        else resolve()
      },
      reject (error) {
        calls.push(`error ${String((error as { code?: unknown }).code)}`)
        resolve()
      }
    })
    query.execute()
  })
  return calls
}

t.test('parsedOptions: an instance keeps its options, parsed', async (t) => {
  const from = (row: object): object => row
  const rename = (name: string): string => name
  const sql = postgres('postgres://app:secret@one:1,two:2/shop', {
    ssl: 'prefer',
    connect_timeout: 7,
    keep_alive: 8,
    target_session_attrs: 'primary',
    transform: { column: rename, row: { from } }
  })
  const { host, port, path, database, user, pass, ssl, ...others } = parsedOptions(sql)
  t.strictSame({ host, port, path, database, user, pass, ssl }, {
    host: ['one', 'two'],
    port: [1, 2],
    path: false,
    database: 'shop',
    user: 'app',
    pass: 'secret',
    ssl: 'prefer'
  }, lacks('sql.options contains what decides about the connection'))
  t.strictSame([others.connect_timeout, others.keep_alive, others.target_session_attrs], [7, 8, 'primary'],
    lacks('sql.options contains connect_timeout, keep_alive and target_session_attrs'))
  t.equal(others.transform.row.from, from, lacks('sql.options.transform.row.from is the function for rows'))
  t.equal(others.transform.column.from, rename, lacks('sql.options.transform.column.from is the function for names'))
  t.equal(others.socket, undefined, lacks('sql.options.socket is undefined unless the option is set'))

  const functions = { pass: () => 'secret', socket: () => new Socket() }
  const byPath = parsedOptions(postgres({ path: '/run/s', ...functions }))
  t.strictSame([byPath.path, byPath.pass, byPath.socket], ['/run/s', functions.pass, functions.socket],
    lacks('sql.options keeps path, pass and socket'))
})

t.test('copyInstance: options that an instance keeps are taken as they are', async (t) => {
  const sql = await useSql(t, { transform: { row: () => undefined } })
  const changes = { max: 3, transform: { column: {}, value: {}, row: {} } }
  const copy = copyInstance(sql, changes)
  t.after(async () => { await copy.end({ timeout: 1 }) })
  const { host, port, database, user, pass, transform } = parsedOptions(copy)
  const given = parsedOptions(sql)
  t.strictSame({ host, port, database, user, pass }, {
    host: given.host, port: given.port, database: given.database, user: given.user, pass: given.pass
  }, lacks('postgres(sql.options) connects to the same server'))
  t.equal(transform, changes.transform, lacks('postgres(sql.options) does not parse options again'))
  t.equal(copy.options.max, 3, lacks('postgres(sql.options) has the changed option'))
  t.strictSame([...await copy`SELECT 1 AS one`], [{ one: 1 }], lacks('postgres(sql.options) is an instance that works'))
})

t.test('setSocket: postgres.js reads the option `socket` when it connects', async (t) => {
  const sql = await useSql(t)
  let opened = 0
  setSocket(sql, ({ host: [host], port: [port] }) => {
    opened++
    return connect({ host: host ?? '', port: port ?? 0 })
  })
  t.strictSame([...await sql`SELECT 1 AS one`], [{ one: 1 }])
  t.equal(opened, 1, lacks('a socket that is set after postgres() opens the connection'))
})

t.test('setAddress: a socket has the properties that postgres.js reads', async (t) => {
  const socket = new Socket()
  t.after(async () => { socket.destroy() })
  setAddress(socket, 'db.example', 5432)
  const { host, port } = socket as Socket & { host?: unknown, port?: unknown }
  t.strictSame({ host, port }, { host: 'db.example', port: 5432 })
  // Only a TLS server could observe the name; the tests of encryption have one
  const source = readFileSync(new URL('connection.js', import.meta.resolve('postgres')), 'utf8')
  t.match(source, 'servername: net.isIP(socket.host) ? undefined : socket.host',
    lacks('TLS gets the name of the server from socket.host'))
})

t.test('takeUntransformedRows: `forEachFn` is read immediately before `transform.row.from`', async (t) => {
  const from = (): never => { throw new Error('the transform was called') }
  const sql = await useSql(t, { transform: { row: { from } } })
  const query = sql.unsafe("SELECT 'a' UNION ALL SELECT 'b'")
  const rows: string[] = []
  const { transform } = parsedOptions(sql)
  takeUntransformedRows(query, transform.row, (row) => { rows.push(row.join()) })
  const error = await query.raw().then(() => undefined, (error: unknown) => error)
  t.equal(error, undefined, lacks('a query gets its rows by forEachFn, without the transform'))
  t.strictSame(rows, ['a', 'b'], lacks('a query passes each raw row to forEachFn'))
  t.equal(transform.row.from, from, lacks('forEachFn is called after it was read'))
})

t.test('replaceSettlers: a query is settled by its properties `resolve` and `reject`', async (t) => {
  const sql = await useSql(t)
  const query = sql.unsafe('SELECT 1')
  for (const name of ['resolve', 'reject']) t.ok(Object.hasOwn(query, name), lacks(`a query has the property ${name}`))
  await query

  const succeeded = await runCopy(sql, 'COPY (SELECT 1) TO STDOUT', (stream) => { (stream as Readable).resume() })
  t.strictSame(succeeded, ['stream', 'result'], lacks('a COPY calls query.resolve with its stream and with its result'))
  const failed = await runCopy(sql, 'COPY (SELECT 1 / (i - 2) FROM generate_series(1, 2) i) TO STDOUT', (stream) => {
    (stream as Readable).on('error', () => {}).resume()
  })
  t.strictSame(failed, ['stream', 'error 22012'], lacks('a COPY that fails calls query.reject, after its stream'))
})

t.test('takePushedRows, resumeSocket: a COPY pushes rows; false pauses the socket, _read() resumes it', async (t) => {
  const sql = await useSql(t)
  const calls = { pause: 0, resume: 0 }
  setSocket(sql, ({ host: [host], port: [port] }) => {
    const socket = connect({ host: host ?? '', port: port ?? 0 })
    const [pause, resume] = [socket.pause.bind(socket), socket.resume.bind(socket)]
    socket.pause = () => { calls.pause++; return pause() }
    socket.resume = () => { calls.resume++; return resume() }
    return socket
  })
  await sql`SELECT 1`
  const rows: string[] = []
  const counts: Array<typeof calls> = []
  await runCopy(sql, 'COPY (SELECT i FROM generate_series(1, 2) i) TO STDOUT', (stream) => {
    takePushedRows(stream as Readable, (bytes, start, end) => {
      rows.push(bytes.toString('utf8', start, end))
      counts.push({ ...calls })
      if (rows.length === 1) return false
      resumeSocket(stream as Readable)
      counts.push({ ...calls })
      return true
    })
  })
  t.strictSame(rows, ['1\n', '2\n'], lacks('a COPY calls stream.push with each row'))
  const [before, paused, resumed] = counts
  t.equal((paused?.pause ?? 0) - (before?.pause ?? 0), 1, lacks('push() that returns false pauses the socket'))
  t.equal((resumed?.resume ?? 0) - (paused?.resume ?? 0), 1, lacks('_read() of the stream resumes the socket'))
})

t.test('endWithoutCopyFail: the stream of a COPY destroys itself by `_destroy`, which sends CopyFail', async (t) => {
  const sql = await useSql(t)
  const sent: Buffer[] = []
  setSocket(sql, ({ host: [host], port: [port] }) => {
    const socket = connect({ host: host ?? '', port: port ?? 0 })
    const write = socket.write.bind(socket) as (chunk: Uint8Array, ...rest: unknown[]) => boolean
    Object.assign(socket, {
      write (chunk: Uint8Array, ...rest: unknown[]) {
        sent.push(Buffer.from(chunk))
        return write(chunk, ...rest)
      }
    })
    return socket
  })
  await sql`CREATE TEMPORARY TABLE item (id int)`
  let stream: Writable | undefined
  const calls = await runCopy(sql, 'COPY item FROM STDIN', (opened) => {
    stream = opened as Writable
    endWithoutCopyFail(stream)
    stream.end('1\n')
  })
  t.strictSame(calls, ['stream', 'result'])
  t.strictSame([...await sql`SELECT id FROM item`], [{ id: 1 }])
  t.ok(stream?.destroyed, 'the stream has destroyed itself')
  const messages = Buffer.concat(sent).toString('latin1')
  t.match(messages, 'c\0\0\0\x04', lacks('a stream that ends sends CopyDone'))
  t.notMatch(messages, 'f\0\0\0', lacks('a stream whose _destroy is replaced sends no CopyFail'))
})
