import { DatabaseFailed, DatabaseInsecure, DatabaseUnavailable } from '../errors.ts'

/** SQLSTATEs (manual, appendix A) by what they mean here. */
const readOnly = '25006'
const unavailableStates = new Set(['57P01', '57P02', '57P03', '57P05', '53300', '25P03', '25P04', readOnly])
/** The server has ended the session: by an administrator, in a crash, or for a timeout. */
const terminationStates = new Set(['57P01', '57P02', '25P03', '25P04'])
const lockNotAvailable = '55P03'
const queryCanceled = '57014'
const deadlockDetected = '40P01'
const featureNotSupported = '0A000'
const vanishedStates = new Set(['42P01', '3F000', '42704', '42703'])
const internalError = 'XX000'
export const foreignKeyViolation = '23503'
export const checkViolation = '23514'
const programLimitExceeded = '54000'

/**
 * Where the server itself names a table, a column or a constraint in an error: the files that call errtable() and its kin. The statement `RAISE … USING
 * table = value` of PL/pgSQL, and its kin in other languages, put what they like into these fields, under any SQLSTATE.
 */
const namingFiles = new Set(['nbtinsert.c', 'nbtsort.c', 'tuplesort.c', 'tuplesortvariants.c', 'execIndexing.c', 'execMain.c', 'execPartition.c', 'execExprInterp.c',
  'domains.c', 'ri_triggers.c', 'tablecmds.c', 'typecmds.c', 'partbounds.c'])

interface DatabaseErrorFields { file?: unknown, routine?: unknown, where?: unknown, code?: unknown, message?: unknown, severity?: unknown, schema_name?: unknown, table_name?: unknown, column_name?: unknown, constraint_name?: unknown }

const text = (value: unknown): string | undefined => typeof value === 'string' && value !== '' ? value : undefined

const fields = (error: unknown): DatabaseErrorFields => typeof error === 'object' && error !== null ? error : {}

export function sqlState (error: unknown): string | undefined {
  const { code } = fields(error)
  return typeof code === 'string' ? code : undefined
}

/** The names that an error tells. None, where a function of somebody's may have put a value in their place. */
function namesOf (error: unknown): Record<'schema' | 'table' | 'column' | 'constraint', string | undefined> {
  const { file, code, schema_name: schema, table_name: table, column_name: column, constraint_name: constraint } = fields(error)
  // Class P0 is PL/pgSQL's own
  const isTrusted = namingFiles.has(text(file) ?? '') && text(code)?.startsWith('P0') !== true
  return isTrusted
    ? { schema: text(schema), table: text(table), column: text(column), constraint: text(constraint) }
    : { schema: undefined, table: undefined, column: undefined, constraint: undefined }
}

/** What was copied when an error came: most of them name no table. */
const copiedTables = new WeakMap<object, { schema: string, name: string }>()

/** Has the descriptions of the error name the table, which a COPY was reading or filling. Gives the error back. */
export function duringCopyOf (table: { schema: string, name: string }, error: unknown): unknown {
  if (typeof error === 'object' && error !== null && !copiedTables.has(error)) copiedTables.set(error, { schema: table.schema, name: table.name })
  return error
}

const copiedTable = (error: unknown): { schema: string, name: string } | undefined =>
  typeof error === 'object' && error !== null ? copiedTables.get(error) : undefined

/** COPY FROM found none for a row. Only that file has this state without a constraint. */
const isWithoutPartition = (error: unknown): boolean =>
  sqlState(error) === checkViolation && fields(error).file === 'execPartition.c'

/** A value, or a row, whose text exceeds what the server can hold in one piece: 1 GB. It never translates the message. */
export const isTooLarge = (error: unknown): boolean => sqlState(error) === programLimitExceeded ||
  (sqlState(error) === internalError && /^invalid memory alloc request size/.test(String(fields(error).message)))

/** An error of the server itself: then the connection stands, whatever the SQLSTATE says (a function can raise any). */
const isFromServer = (error: unknown): boolean => text(fields(error).severity) !== undefined

/**
 * Whether the connection is gone, or was never made. postgres.js has codes of its own for that, and hands on those of the system and of
 * TLS, after it has put its `query` on them: so the file system's errors are told apart.
 */
export function isConnectionLoss (error: unknown): boolean {
  if (isFromServer(error)) return false
  const code = sqlState(error) ?? ''
  return /^CONNECT(ION)?_/.test(code) || ('query' in fields(error) && (/^E[A-Z]+$|^ERR_/.test(code) || isTlsCode(code)))
}

/** What Node says of a certificate (X509 certificate error codes), and OpenSSL of a handshake: somebody has to change something. */
const isTlsCode = (code: string): boolean =>
  /^ERR_(?:TLS|SSL|OSSL)_|CERT|SIGNATURE|_CRL$|^CRL_|_KEY$|^(?:INVALID_CA|PATH_LENGTH_EXCEEDED|INVALID_PURPOSE|HOSTNAME_MISMATCH)$/.test(code)

/** What is wrong, and what to set; by the code. */
const tlsAdvice: Array<[RegExp, string]> = [
  [/ALTNAME_INVALID|HOSTNAME_MISMATCH/, 'the certificate of the server is for another host; connect by a name that it holds, or check the authority alone, by sslmode verify-ca'],
  [/EXPIRED|NOT_YET_VALID/, 'the certificate of the server, or of its authority, is out of date; renew it, and see that the clock of this machine is right'],
  [/SELF_SIGNED|ISSUER_CERT|LEAF_SIGNATURE|UNTRUSTED/, 'no trusted authority has signed the certificate of the server; name the certificate of its authority by sslrootcert, PGSSLROOTCERT or ssl.ca']
]

function insecure (code: string): Error {
  const [, advice] = tlsAdvice.find(([codes]) => codes.test(code)) ?? []
  return new DatabaseInsecure(code, advice ?? 'see sslmode and the certificates on both sides; it does not recover by itself')
}

/** A server without TLS closes the connection in the middle of the handshake, which says no more than ECONNRESET. */
const isBrokenHandshake = (error: unknown): boolean => /before secure TLS connection/.test(text(fields(error).message) ?? '')

function unavailable (error: unknown): Error {
  const code = String(sqlState(error))
  if (isConnectionLoss(error) && isTlsCode(code)) return insecure(code)
  if (isReadOnly(error)) return new DatabaseUnavailable(`SQLSTATE ${readOnly}, it is read-only, as a standby is`)
  return new DatabaseUnavailable(isConnectionLoss(error) && isBrokenHandshake(error) ? `${code} while TLS was negotiated; see that the server has ssl = on` : code)
}

export const isTermination = (error: unknown): boolean => terminationStates.has(sqlState(error) ?? '')
export const isLockTimeout = (error: unknown): boolean => sqlState(error) === lockNotAvailable || sqlState(error) === deadlockDetected
/** What a standby says to BEGIN READ WRITE, as an error that says so in other words: the state that others have for the same. */
export function asReadOnly (error: unknown): unknown {
  return sqlState(error) === featureNotSupported ? Object.assign(new Error('the server is in recovery'), { severity: 'ERROR', code: readOnly }) : error
}

/** Text that can't be said in UTF-8; a SQL_ASCII database may hold any bytes. */
export const isUntranslatable = (error: unknown): boolean => ['22021', '22P05'].includes(sqlState(error) ?? '')
export const isCanceled = (error: unknown): boolean => sqlState(error) === queryCanceled

/**
 * A relation that was listed a moment ago is not there any more. A look-up of a dropped one may fail with XX000, by which others, Citus among
 * them, say almost anything; the server never translates these messages.
 */
export const isVanished = (error: unknown): boolean => vanishedStates.has(sqlState(error) ?? '') ||
  (sqlState(error) === internalError && /^(cache lookup failed|could not open relation)/.test(text(fields(error).message) ?? ''))

export const isReadOnly = (error: unknown): boolean => sqlState(error) === readOnly

/**
 * A function of somebody's raised it, under whichever SQLSTATE it likes. RAISE of PL/pgSQL tells so by the routine, other languages by the context. What ends the
 * session in the middle of a function has that context, too, and is FATAL, which no function can be.
 */
function isRaised (error: unknown): boolean {
  const { routine, where, severity } = fields(error)
  return severity === 'ERROR' && (routine === 'exec_stmt_raise' || text(where)?.startsWith('PL/') === true)
}

export const isUnavailable = (error: unknown): boolean => isConnectionLoss(error) || (unavailableStates.has(sqlState(error) ?? '') && !isRaised(error))

/**
 * What of a database error may be told: SQLSTATE, table, column, constraint. The message itself may hold row data ("invalid
 * input syntax for type integer: …", "Key (email)=(…) already exists"), so it stays behind, but for the kinds of error that speak
 * of the login, of the schema, of privileges or of resources (classes 28, 3D, 3F, 42, 53, 54, 55, 57, 58). One with a context was raised within a
 * function, perhaps, which says what it likes under any SQLSTATE.
 */
export function describeDatabaseError (error: unknown): string {
  const { code, message, where } = fields(error)
  const isHarmless = /^(28|3D|3F|42|53|54|55|57|58)/.test(text(code) ?? '') && text(message) !== undefined && text(where) === undefined && !isRaised(error)
  return `${isHarmless ? `${String(message)}, ` : ''}${describeWithoutMessage(error)}`
}

/**
 * The same while rows are loaded, when no class is harmless: `role "…" does not exist` quotes the value of a regrole (42704), and a function
 * of an index or a domain raises what it likes.
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
  // A partition of it, or what a function of it reads
  if (second !== first) parts.push(`in the COPY of ${second}`)
  if (column !== undefined) parts.push(`column ${column}`)
  if (constraint !== undefined) parts.push(`constraint ${constraint}`)
  return parts.join(', ')
}

/** Whether it came from the server, or from the connection to it. */
export const isDatabaseError = (error: unknown): boolean => isConnectionLoss(error) || isFromServer(error)

/** What may be told of a database error, as the `cause` of the one that leaves the library. */
export function publicCause (error: unknown): { code: string | undefined, table: unknown, column: unknown, constraint: unknown } {
  const { table = copiedTable(error)?.name, column, constraint } = namesOf(error)
  return { code: sqlState(error), table, column, constraint }
}

/** Turns a database error into one that can leave the library; anything else comes back as it is. */
export function publicDatabaseError (error: unknown): unknown {
  if (!isDatabaseError(error)) return error
  const publicError = isUnavailable(error) ? unavailable(error) : new DatabaseFailed(describeDatabaseError(error))
  return Object.assign(publicError, { cause: publicCause(error) })
}
