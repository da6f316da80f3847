import t from 'tap'
import { asReadOnly, describeDatabaseError, isConnectionLoss, isDatabaseError, isLockTimeout, isUnavailable, isUntranslatable, isVanished, publicDatabaseError } from '../../lib/postgres/database-error.ts'

/** As the server sends it. */
const fromServer = (code: string, fields: object = {}): object => ({ severity: 'ERROR', code, message: 'hunter2', ...fields })

t.test('the connection is lost: postgres.js says so, or hands on what the system or TLS said', async (t) => {
  for (const code of ['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'CONNECTION_ENDED', 'CONNECT_TIMEOUT']) t.ok(isConnectionLoss({ code }), code)
  for (const code of ['ECONNRESET', 'EPIPE', 'ENOTFOUND', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']) {
    t.ok(isConnectionLoss({ code, query: 'SELECT 1' }), code)
    t.notOk(isConnectionLoss({ code }), `${code} of a file`)
  }
  for (const other of [fromServer('08006'), { message: 'no code' }, new Error('no code'), { code: 5 }, undefined, null, 'text']) t.notOk(isConnectionLoss(other))
})

t.test('what is no error of the database is none of a kind, and comes back as it is', async (t) => {
  for (const other of [new Error('mine'), { code: 'ENOSPC' }, undefined, null, 'text']) {
    for (const is of [isDatabaseError, isUnavailable, isLockTimeout, isUntranslatable, isVanished]) t.notOk(is(other))
    t.equal(publicDatabaseError(other), other)
  }
})

t.test('an internal error means that a relation has vanished only where it says so', async (t) => {
  const internal = (message: string): object => fromServer('XX000', { message })
  for (const message of ['cache lookup failed for relation 16384', 'could not open relation with OID 16384']) t.ok(isVanished(internal(message)), message)
  for (const message of ['cannot execute command: this is a worker', 'the cache lookup failed for relation 16384', '']) t.notOk(isVanished(internal(message)), message)
  t.notOk(isVanished(fromServer('XX000', { message: undefined })))
  t.notOk(isVanished(fromServer('P0001', { message: 'cache lookup failed for relation 16384' })))
})

t.test('of an error the SQLSTATE and the names are told, and not what may hold a row', async (t) => {
  const place = { schema_name: 'shop', table_name: 'users', column_name: 'email', constraint_name: 'users_email_key', detail: 'Key (email)=(hunter2)' }
  t.equal(describeDatabaseError(fromServer('23505', place)), 'SQLSTATE 23505, table shop.users, column email, constraint users_email_key')
  t.equal(describeDatabaseError(fromServer('22P02', { table_name: 'users' })), 'SQLSTATE 22P02, table users')
  t.equal(describeDatabaseError(fromServer('42501', { message: 'permission denied' })), 'permission denied, SQLSTATE 42501')
  t.equal(describeDatabaseError(fromServer('42501', { message: '' })), 'SQLSTATE 42501')
  t.equal(describeDatabaseError({ message: 'hunter2' }), 'SQLSTATE unknown')
  const told = publicDatabaseError(fromServer('23505', place))
  t.match(told, { code: 'FST_BACKUP_DATABASE_FAILED', cause: { code: '23505', table: 'users', column: 'email', constraint: 'users_email_key' } })
  t.notMatch(JSON.stringify([told, (told as Error).message, (told as Error).stack]), /hunter2/)
})

t.test('a database that can not be reached is told apart', async (t) => {
  for (const error of [{ code: 'CONNECTION_CLOSED' }, fromServer('57P03'), fromServer('53300')]) {
    t.match(publicDatabaseError(error), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 })
  }
})

t.test('so is one that may only be read, in whichever way it says so', async (t) => {
  for (const error of [fromServer('25006'), asReadOnly(fromServer('0A000'))]) {
    t.match(publicDatabaseError(error), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503, message: /SQLSTATE 25006, it is read-only/, cause: { code: '25006' } })
  }
  const other = fromServer('42501')
  t.equal(asReadOnly(other), other)
})
