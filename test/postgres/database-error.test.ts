import { inspect } from 'node:util'
import postgres from 'postgres'
import t from 'tap'
import {
  asReadOnly, describeDatabaseError, duringCopyOf, isConnectionLoss, isDatabaseError, isLockTimeout, isUnavailable,
  isUntranslatable, isVanished, publicCause, publicDatabaseError
} from '../../lib/postgres/database-error.ts'
import { testSchema, useDatabase } from '../support/database.ts'

/** An error as postgres.js creates it from a message of the server. */
const fromServer = (code: string, fields: object = {}): object =>
  ({ severity: 'ERROR', code, message: 'hunter2', ...fields })

t.test('errors of postgres.js, of the system and of TLS show that the connection is lost', async (t) => {
  const ofPostgresJs = ['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'CONNECTION_ENDED', 'CONNECT_TIMEOUT']
  for (const code of ofPostgresJs) t.ok(isConnectionLoss({ code }), code)
  const passedOn = [
    'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  ]
  for (const code of passedOn) {
    t.ok(isConnectionLoss({ code, query: 'SELECT 1' }), code)
    t.notOk(isConnectionLoss({ code }), `${code} of a file`)
  }
  const ofTls = [
    'INVALID_CA', 'UNABLE_TO_GET_CRL', 'CRL_HAS_EXPIRED', 'HOSTNAME_MISMATCH', 'SELF_SIGNED_CERT_IN_CHAIN',
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'
  ]
  for (const code of ofTls) {
    t.ok(isConnectionLoss({ code, query: 'SELECT 1' }), code)
    t.match(publicDatabaseError({ code, query: 'SELECT 1' }),
      { code: 'FST_BACKUP_DATABASE_INSECURE', message: new RegExp(code) })
  }
  const others = [
    fromServer('08006'), { message: 'no code' }, new Error('no code'), { code: 5 }, undefined, null, 'text'
  ]
  for (const other of others) t.notOk(isConnectionLoss(other))
})

t.test('other errors are not of any of these kinds, and are returned unchanged', async (t) => {
  for (const other of [new Error('mine'), { code: 'ENOSPC' }, undefined, null, 'text']) {
    for (const is of [isDatabaseError, isUnavailable, isLockTimeout, isUntranslatable, isVanished]) t.notOk(is(other))
    t.equal(publicDatabaseError(other), other)
  }
})

t.test('an internal error shows that a relation has vanished only by its message', async (t) => {
  const internal = (message: string): object => fromServer('XX000', { message })
  for (const message of ['cache lookup failed for relation 16384', 'could not open relation with OID 16384']) {
    t.ok(isVanished(internal(message)), message)
  }
  const others = ['cannot execute command: this is a worker', 'the cache lookup failed for relation 16384', '']
  for (const message of others) t.notOk(isVanished(internal(message)), message)
  t.notOk(isVanished(fromServer('XX000', { message: undefined })))
  t.notOk(isVanished(fromServer('P0001', { message: 'cache lookup failed for relation 16384' })))
})

t.test('a description contains the SQLSTATE and the names, and no text that may contain a row', async (t) => {
  const fields = {
    schema_name: 'shop',
    table_name: 'users',
    column_name: 'email',
    constraint_name: 'users_email_key',
    detail: 'Key (email)=(hunter2)',
    file: 'nbtinsert.c'
  }
  t.equal(describeDatabaseError(fromServer('23505', fields)),
    'SQLSTATE 23505, table shop.users, column email, constraint users_email_key')
  const withoutSchema = fromServer('22P02', { table_name: 'users', file: 'execMain.c' })
  t.equal(describeDatabaseError(withoutSchema), 'SQLSTATE 22P02, table users')
  t.equal(describeDatabaseError(fromServer('42501', { message: 'permission denied' })),
    'permission denied, SQLSTATE 42501')
  t.equal(describeDatabaseError(fromServer('42501', { message: '' })), 'SQLSTATE 42501')
  t.equal(describeDatabaseError({ message: 'hunter2' }), 'SQLSTATE unknown')
  const published = publicDatabaseError(fromServer('23505', fields)) as Error
  t.match(published, { code: 'FST_BACKUP_DATABASE_FAILED' })
  t.strictSame(published.cause, { code: '23505', table: 'users', column: 'email', constraint: 'users_email_key' })
  t.notMatch(JSON.stringify([published, published.message, published.stack]), /hunter2/)
})

t.test('names and messages that a function sets are left out', async (t) => {
  const names = { schema_name: 'hunter2', table_name: 'hunter2', column_name: 'hunter2', constraint_name: 'hunter2' }
  for (const code of ['P0001', '23505', '42501', '55P03', '57014']) {
    for (const file of ['pl_exec.c', 'plpy_elog.c', '', undefined, ...code === 'P0001' ? ['nbtinsert.c'] : []]) {
      const error = fromServer(code, { ...names, file, where: 'PL/pgSQL function inline_code_block line 1 at RAISE' })
      t.equal(describeDatabaseError(error), `SQLSTATE ${code}`)
      t.strictSame(publicCause(error), { code, table: undefined, column: undefined, constraint: undefined })
    }
  }
})

t.test('names that the server sets are included, on a real server', async (t) => {
  const { sql } = await useDatabase(t)
  await sql.unsafe(`CREATE DOMAIN positive AS int CONSTRAINT is_positive CHECK (value > 0);
    CREATE TABLE parents (id int PRIMARY KEY);
    CREATE TABLE kept (id int PRIMARY KEY, name text NOT NULL, CONSTRAINT small CHECK (id < 10),
      parent int CONSTRAINT to_parent REFERENCES parents, count positive, EXCLUDE USING btree (parent WITH =));
    CREATE TABLE doubled (id int);
    INSERT INTO doubled VALUES (1), (1);
    CREATE TABLE days (day int) PARTITION BY LIST (day);
    INSERT INTO parents VALUES (1);
    INSERT INTO kept VALUES (1, 'x', 1)`)
  const schema = `table ${testSchema}.`
  for (const [statement, expected] of [
    ["INSERT INTO kept VALUES (1, 'hunter2')", `SQLSTATE 23505, ${schema}kept, constraint kept_pkey`],
    ['INSERT INTO kept VALUES (2, NULL)', `SQLSTATE 23502, ${schema}kept, column name`],
    ["INSERT INTO kept VALUES (11, 'hunter2')", `SQLSTATE 23514, ${schema}kept, constraint small`],
    ["INSERT INTO kept VALUES (2, 'hunter2', 7)", `SQLSTATE 23503, ${schema}kept, constraint to_parent`],
    ["INSERT INTO kept VALUES (2, 'hunter2', 1)", `SQLSTATE 23P01, ${schema}kept, constraint kept_parent_excl`],
    ["INSERT INTO kept VALUES (2, 'hunter2', NULL, -1)", 'SQLSTATE 23514, constraint is_positive'],
    ['ALTER TABLE doubled ADD UNIQUE (id)', `SQLSTATE 23505, ${schema}doubled, constraint doubled_id_key`],
    [
      'ALTER TABLE kept ALTER parent SET NOT NULL, ADD CHECK (id > 1)',
      `SQLSTATE 23514, ${schema}kept, constraint kept_id_check`
    ],
    [
      'INSERT INTO days VALUES (1)',
      `a row of ${schema.replace('table ', '')}days has no partition, SQLSTATE 23514, ${schema}days`
    ]
  ] as const) {
    const error: unknown = await sql.unsafe(statement).then(() => undefined, (error: unknown) => error)
    t.equal(describeDatabaseError(error), expected, statement)
  }
  for (const code of ['P0001', '23505', '42501']) {
    const raised: unknown = await sql.unsafe(`DO $$ BEGIN RAISE EXCEPTION 'hunter2' USING errcode = '${code}',
      schema = 'hunter2', table = 'hunter2', column = 'hunter2', constraint = 'hunter2'; END $$`)
      .catch((error: unknown) => error)
    t.equal(describeDatabaseError(raised), `SQLSTATE ${code}`)
    t.notMatch(inspect(publicDatabaseError(raised), { depth: 9 }), /hunter2/)
  }
})

t.test('an error without a table gets the name of the copied one', async (t) => {
  const copied = { schema: 'a', name: 'events' }
  const nameless = fromServer('22012')
  t.equal(duringCopyOf(copied, nameless), nameless)
  duringCopyOf({ schema: 'a', name: 'other' }, nameless)
  t.equal(describeDatabaseError(nameless), 'SQLSTATE 22012, table a.events')
  t.equal(publicCause(nameless).table, 'events')
  const named = (name: string): object =>
    fromServer('23505', { file: 'nbtinsert.c', schema_name: 'a', table_name: name, constraint_name: 'k' })
  t.equal(describeDatabaseError(duringCopyOf(copied, named('events'))),
    'SQLSTATE 23505, table a.events, constraint k')
  t.equal(describeDatabaseError(duringCopyOf(copied, named('events_1'))),
    'SQLSTATE 23505, table a.events_1, in the COPY of a.events, constraint k')
  t.equal(duringCopyOf(copied, 'no object'), 'no object')
  t.equal(describeDatabaseError('no object'), 'SQLSTATE unknown')
})

t.test('a database that cannot be reached is reported as unavailable', async (t) => {
  const closed = fromServer('55000', { severity: 'FATAL' })
  for (const error of [{ code: 'CONNECTION_CLOSED' }, fromServer('57P03'), fromServer('53300'), closed]) {
    t.match(publicDatabaseError(error), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 })
  }
  t.match(publicDatabaseError(fromServer('55000')), { code: 'FST_BACKUP_DATABASE_FAILED' })
})

t.test('a connection that cannot be opened is reported with its address, and without the user', async (t) => {
  const messages: string[] = []
  for (const host of ['127.0.0.1', 'localhost', 'host.invalid', '/nowhere']) {
    const sql = postgres({ host, port: 1, database: 'shop', user: 'ada', password: 'hunter2', max: 1 })
    const error: unknown = await sql`SELECT 1`.catch((error: unknown) => publicDatabaseError(error))
    messages.push(error instanceof Error ? error.message : '')
    await sql.end()
  }
  const [ipv4 = '', name = '', unknown = '', socket = ''] = messages
  t.match(ipv4, 'The database is not available (ECONNREFUSED 127.0.0.1:1);')
  t.match(name, /\(E[A-Z]+(?: (?:127\.0\.0\.1|\[::1\]):1)+\)/)
  t.match(unknown, /\(E[A-Z_]+ host\.invalid\)/)
  t.match(socket, '(ENOENT /nowhere/.s.PGSQL.1)')
  t.notMatch(messages.join(), /hunter2|ada/)
  // Not every machine has two addresses for localhost
  const errors = [{ address: '::1', port: 1 }, { address: '127.0.0.1', port: 1 }]
  const both = { code: 'ECONNREFUSED', query: '', errors }
  t.match(publicDatabaseError(both), { message: /\(ECONNREFUSED \[::1\]:1 127\.0\.0\.1:1\)/ })
})

t.test('an error that a function raises is not treated as a loss of the database, under any SQLSTATE', async (t) => {
  const where = 'PL/pgSQL function g(integer) line 1'
  const failed = (code: string): object =>
    ({ code: 'FST_BACKUP_DATABASE_FAILED', message: `The database reported an error: SQLSTATE ${code}` })
  for (const code of ['57P01', '57P02', '57P03', '57P05', '53300', '25P03', '25006']) {
    const byFunctions = [
      { where: `${where} at RAISE` }, { routine: 'exec_stmt_raise' }, { where: 'PL/Python function "g"' }
    ]
    for (const raised of byFunctions) {
      t.notOk(isUnavailable(fromServer(code, raised)))
      t.match(publicDatabaseError(fromServer(code, raised)), { ...failed(code), cause: { code } })
    }
    t.ok(isUnavailable(fromServer(code, { where, severity: 'FATAL' })), 'a session that ends during a function')
    t.ok(isUnavailable(fromServer(code, { where: 'SQL statement "INSERT"' })))
  }
  const { sql } = await useDatabase(t)
  for (const code of ['57P01', '53300', '25006']) {
    const raised: unknown = await sql.unsafe(`DO $$ BEGIN RAISE EXCEPTION 'hunter2' USING errcode = '${code}'; END $$`)
      .catch((error: unknown) => error)
    t.match(publicDatabaseError(raised), failed(code))
  }
})

t.test('a read-only database is reported as unavailable, in recovery too', async (t) => {
  for (const error of [fromServer('25006'), asReadOnly(fromServer('0A000'))]) {
    t.match(publicDatabaseError(error), {
      code: 'FST_BACKUP_DATABASE_UNAVAILABLE',
      statusCode: 503,
      message: /SQLSTATE 25006, it is read-only/,
      cause: { code: '25006' }
    })
  }
  const other = fromServer('42501')
  t.equal(asReadOnly(other), other)
})
