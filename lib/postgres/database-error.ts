import { isIPv6 } from 'node:net'
import { DatabaseFailed, DatabaseInsecure, DatabaseUnavailable } from '../errors.ts'

/** SQLSTATEs (manual, appendix A), named by their meaning for this library. */
const readOnly = '25006'
const unavailableStates = new Set(['57P01', '57P02', '57P03', '57P05', '53300', '25P03', '25P04', readOnly])
/** The server has ended the session because of an administrator, a crash or a timeout. */
const terminationStates = new Set(['57P01', '57P02', '25P03', '25P04'])
const lockNotAvailable = '55P03'
const queryCanceled = '57014'
const deadlockDetected = '40P01'
const featureNotSupported = '0A000'
const insufficientPrivilege = '42501'
const vanishedStates = new Set(['42P01', '3F000', '42704', '42703'])
const internalError = 'XX000'
const objectNotInPrerequisiteState = '55000'
export const foreignKeyViolation = '23503'
export const checkViolation = '23514'
const programLimitExceeded = '54000'

/**
 * C files of the server that put a table, a column or a constraint into an error: those that call errtable() and
 * similar functions. The statement `RAISE … USING table = value` of PL/pgSQL and similar ones of other languages can
 * put any value into these fields, under any SQLSTATE.
 */
const namingFiles = new Set([
  'nbtinsert.c', 'nbtsort.c', 'tuplesort.c', 'tuplesortvariants.c', 'execIndexing.c', 'execMain.c', 'execPartition.c',
  'execExprInterp.c', 'domains.c', 'ri_triggers.c', 'tablecmds.c', 'typecmds.c', 'partbounds.c'
])

type DatabaseErrorFields = Partial<Record<
  'file' | 'routine' | 'where' | 'code' | 'message' | 'severity' |
  'schema_name' | 'table_name' | 'column_name' | 'constraint_name' |
  'address' | 'hostname' | 'port' | 'errors', unknown>>

const text = (value: unknown): string | undefined => typeof value === 'string' && value !== '' ? value : undefined

const fields = (error: unknown): DatabaseErrorFields => typeof error === 'object' && error !== null ? error : {}

export function sqlState (error: unknown): string | undefined {
  const { code } = fields(error)
  return typeof code === 'string' ? code : undefined
}

/** The names in an error. Undefined when a user's function may have put a value into them. */
function namesOf (error: unknown): Record<'schema' | 'table' | 'column' | 'constraint', string | undefined> {
  const { file, code, schema_name: schema, table_name: table, ...others } = fields(error)
  // Class P0 is that of PL/pgSQL
  const isTrusted = namingFiles.has(text(file) ?? '') && text(code)?.startsWith('P0') !== true
  if (!isTrusted) return { schema: undefined, table: undefined, column: undefined, constraint: undefined }
  return {
    schema: text(schema),
    table: text(table),
    column: text(others.column_name),
    constraint: text(others.constraint_name)
  }
}

/** The table that was copied when an error occurred: most errors do not name one. */
const copiedTables = new WeakMap<object, { schema: string, name: string }>()

/** Makes the descriptions of the error name the table that a COPY was reading or filling. Returns the error. */
export function duringCopyOf (table: { schema: string, name: string }, error: unknown): unknown {
  if (typeof error === 'object' && error !== null && !copiedTables.has(error)) {
    copiedTables.set(error, { schema: table.schema, name: table.name })
  }
  return error
}

const copiedTable = (error: unknown): { schema: string, name: string } | undefined =>
  typeof error === 'object' && error !== null ? copiedTables.get(error) : undefined

/** COPY FROM found no partition for a row. Only that file of the server raises this SQLSTATE without a constraint. */
const isWithoutPartition = (error: unknown): boolean =>
  sqlState(error) === checkViolation && fields(error).file === 'execPartition.c'

/**
 * The text of a value or a row exceeds 1 GB, the largest allocation of the server, which never translates this message.
 */
export const isTooLarge = (error: unknown): boolean => sqlState(error) === programLimitExceeded ||
  (sqlState(error) === internalError && /^invalid memory alloc request size/.test(String(fields(error).message)))

/**
 * The server sent the error: so the connection is still open, even if the SQLSTATE says otherwise (a function can raise
 * any).
 */
const isFromServer = (error: unknown): boolean => text(fields(error).severity) !== undefined

/**
 * Whether the connection was lost or could not be opened. postgres.js has error codes for that, and passes on those of
 * the system and of TLS. It adds `query` to all of them, which errors of the file system do not have.
 */
export function isConnectionLoss (error: unknown): boolean {
  if (isFromServer(error)) return false
  const code = sqlState(error) ?? ''
  return /^CONNECT(ION)?_/.test(code) || ('query' in fields(error) && (/^E[A-Z]+$|^ERR_/.test(code) || isTlsCode(code)))
}

/**
 * Codes of Node for a certificate (X509 certificate error codes) and of OpenSSL for a handshake. An administrator has
 * to correct the server, its certificate or the options; until then every retry fails.
 */
const isTlsCode = (code: string): boolean =>
  /^ERR_(?:TLS|SSL|OSSL)_|CERT|SIGNATURE|_CRL$|^CRL_|_KEY$/.test(code) ||
  ['INVALID_CA', 'PATH_LENGTH_EXCEEDED', 'INVALID_PURPOSE', 'HOSTNAME_MISMATCH'].includes(code)

/** By the code: the fault, and how to correct it. */
const tlsAdvice: Array<[RegExp, string]> = [
  [/ALTNAME_INVALID|HOSTNAME_MISMATCH/, 'the certificate of the server is for another host; ' +
    'connect by a name that it contains, or check the authority alone, by sslmode verify-ca'],
  [/EXPIRED|NOT_YET_VALID/, 'the certificate of the server, or of its authority, is out of date; ' +
    'renew it, and check the clock of this machine'],
  [/SELF_SIGNED|ISSUER_CERT|LEAF_SIGNATURE|UNTRUSTED/, 'no trusted authority has signed the certificate of the ' +
    'server; name the certificate of its authority by sslrootcert, PGSSLROOTCERT or ssl.ca']
]

function insecure (code: string): Error {
  const [, advice] = tlsAdvice.find(([codes]) => codes.test(code)) ?? []
  return new DatabaseInsecure(code,
    advice ?? 'see sslmode and the certificates on both sides; it does not recover by itself')
}

/** A server without TLS closes the connection during the handshake, and the only error code is ECONNRESET. */
const isBrokenHandshake = (error: unknown): boolean => /before secure TLS connection/.test(messageOf(error))

const messageOf = (error: unknown): string => text(fields(error).message) ?? ''

/**
 * Where the connection was to be opened, so that an administrator notices a wrong address or a missing DATABASE_URL:
 * `localhost:5432` or the path of a socket. Several if a name has several addresses, each of which failed.
 */
function addressesOf (error: unknown): string[] {
  const { address, hostname, port, errors } = fields(error)
  if (Array.isArray(errors)) return errors.flatMap(addressesOf)
  const host = text(address) ?? text(hostname)
  if (host === undefined) return []
  const name = isIPv6(host) ? `[${host}]` : host
  return [typeof port === 'number' ? `${name}:${port}` : name]
}

function unavailable (error: unknown): Error {
  const code = String(sqlState(error))
  if (isConnectionLoss(error) && isTlsCode(code)) return insecure(code)
  if (isReadOnly(error)) return new DatabaseUnavailable(`SQLSTATE ${readOnly}, it is read-only, as a standby is`)
  const isWithoutTls = isConnectionLoss(error) && isBrokenHandshake(error)
  return new DatabaseUnavailable(isWithoutTls
    ? `${code} while TLS was negotiated; see that the server has ssl = on`
    : [code, ...addressesOf(error)].join(' '))
}

export const isTermination = (error: unknown): boolean => terminationStates.has(sqlState(error) ?? '')
export const isLockTimeout = (error: unknown): boolean =>
  sqlState(error) === lockNotAvailable || sqlState(error) === deadlockDetected

/**
 * The error of a standby for BEGIN READ WRITE, with the SQLSTATE that other servers have for the same. Returns others
 * unchanged.
 */
export function asReadOnly (error: unknown): unknown {
  if (sqlState(error) !== featureNotSupported) return error
  return Object.assign(new Error('the server is in recovery'), { severity: 'ERROR', code: readOnly })
}

/** Text that cannot be converted to UTF-8; a SQL_ASCII database may contain any bytes. */
export const isUntranslatable = (error: unknown): boolean => ['22021', '22P05'].includes(sqlState(error) ?? '')
export const isCanceled = (error: unknown): boolean => sqlState(error) === queryCanceled

/**
 * A relation that was listed before no longer exists. A look-up of a dropped one may fail with XX000, which extensions
 * such as Citus use for many errors. The server never translates these messages.
 */
export const isVanished = (error: unknown): boolean => vanishedStates.has(sqlState(error) ?? '') ||
  (sqlState(error) === internalError && /^(cache lookup failed|could not open relation)/.test(messageOf(error)))

/** The role lacks a privilege. */
export const isDenied = (error: unknown): boolean => sqlState(error) === insufficientPrivilege

export const isReadOnly = (error: unknown): boolean => sqlState(error) === readOnly

/**
 * A user's function raised it; it can choose any SQLSTATE. The routine shows this for RAISE of PL/pgSQL, the context
 * for other languages. An error that ends the session during a function has that context, too, but it is FATAL, which a
 * function cannot raise.
 */
function isRaised (error: unknown): boolean {
  const { routine, where, severity } = fields(error)
  return severity === 'ERROR' && (routine === 'exec_stmt_raise' || text(where)?.startsWith('PL/') === true)
}

export const isUnavailable = (error: unknown): boolean => isConnectionLoss(error) || isClosedDatabase(error) ||
  (unavailableStates.has(sqlState(error) ?? '') && !isRaised(error))

/** ALTER DATABASE … ALLOW_CONNECTIONS false. As an error of a statement, the SQLSTATE has other meanings. */
function isClosedDatabase (error: unknown): boolean {
  return sqlState(error) === objectNotInPrerequisiteState && fields(error).severity === 'FATAL'
}

/**
 * The parts of a database error that may be published: SQLSTATE, table, column, constraint. The message may contain row
 * data ("invalid input syntax for type integer: …", "Key (email)=(…) already exists"), so it is left out, except for
 * errors about the login, the schema, privileges or resources (classes 28, 3D, 3F, 42, 53, 54, 55, 57, 58). An error
 * with a context may come from a function, which can use any text under any SQLSTATE.
 */
export function describeDatabaseError (error: unknown): string {
  const { code, message, where } = fields(error)
  const isHarmless = /^(28|3D|3F|42|53|54|55|57|58)/.test(text(code) ?? '') && text(message) !== undefined &&
    text(where) === undefined && !isRaised(error)
  return `${isHarmless ? `${String(message)}, ` : ''}${describeWithoutMessage(error)}`
}

/**
 * The same without any message, for errors while rows are loaded: `role "…" does not exist` quotes the value of a
 * regrole (42704), and a function of an index or a domain can raise any text.
 */
export function describeWithoutMessage (error: unknown): string {
  const { schema, table, column, constraint } = namesOf(error)
  const copied = copiedTable(error)
  const names = [
    ...table === undefined ? [] : [`${schema === undefined ? '' : `${schema}.`}${table}`],
    ...copied === undefined ? [] : [`${copied.schema}.${copied.name}`]
  ]
  const [first, second = first] = names
  const parts = isWithoutPartition(error) && first !== undefined ? [`a row of ${first} has no partition`] : []
  parts.push(`SQLSTATE ${sqlState(error) ?? 'unknown'}`)
  if (first !== undefined) parts.push(`table ${first}`)
  // The error names a partition of the copied table, or a table that a function of it reads
  if (second !== first) parts.push(`in the COPY of ${second}`)
  if (column !== undefined) parts.push(`column ${column}`)
  if (constraint !== undefined) parts.push(`constraint ${constraint}`)
  return parts.join(', ')
}

/** Whether the error comes from the server, or from the connection to it. */
export const isDatabaseError = (error: unknown): boolean => isConnectionLoss(error) || isFromServer(error)

/** The `cause` of a public error. Unlike `code`, the names are unknown for most errors. */
export interface PublicCause { code: string | undefined, table: unknown, column: unknown, constraint: unknown }

/** The parts of a database error that may be published, as the `cause` of the public error. */
export function publicCause (error: unknown): PublicCause {
  const { table = copiedTable(error)?.name, column, constraint } = namesOf(error)
  return { code: sqlState(error), table, column, constraint }
}

/** Converts a database error to a public one; returns any other error unchanged. */
export function publicDatabaseError (error: unknown): unknown {
  if (!isDatabaseError(error)) return error
  const publicError = isUnavailable(error) ? unavailable(error) : new DatabaseFailed(describeDatabaseError(error))
  return Object.assign(publicError, { cause: publicCause(error) })
}
