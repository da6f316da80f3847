import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, type ConnectionOptions, type PeerCertificate } from 'node:tls'
import { OptionInvalid } from '../../errors.ts'
import type { EncryptionParameter } from './connection-url.ts'

/** Values of the option `ssl` of postgres.js. */
export type Encryption = false | 'prefer' | ConnectionOptions

/**
 * For `verify-ca`: checks the authority, and not the name. A single function, so that poolSettings() recognizes it and
 * another thread can use its own.
 */
export const acceptAnyHost = (_host: string, _certificate: PeerCertificate): undefined => {}

const environment: Partial<Record<EncryptionParameter, string[]>> = {
  // postgres.js reads PGSSL
  sslmode: ['PGSSLMODE', 'PGSSL'],
  sslrootcert: ['PGSSLROOTCERT'],
  sslcert: ['PGSSLCERT'],
  sslkey: ['PGSSLKEY'],
  ssl_min_protocol_version: ['PGSSLMINPROTOCOLVERSION'],
  ssl_max_protocol_version: ['PGSSLMAXPROTOCOLVERSION'],
  sslcrl: ['PGSSLCRL'],
  sslcrldir: ['PGSSLCRLDIR'],
  sslcertmode: ['PGSSLCERTMODE'],
  sslsni: ['PGSSLSNI'],
  requirepeer: ['PGREQUIREPEER'],
  require_auth: ['PGREQUIREAUTH'],
  channel_binding: ['PGCHANNELBINDING'],
  gssencmode: ['PGGSSENCMODE']
}

/** Parameters that postgres.js does not support, each with the values that require nothing. */
const unsupported: Partial<Record<EncryptionParameter, string[]>> = {
  sslcrl: [],
  sslcrldir: [],
  sslcertmode: ['allow'],
  sslcompression: ['0'],
  sslsni: ['1'],
  requiressl: ['0'],
  requirepeer: [],
  require_auth: [],
  channel_binding: ['disable', 'prefer'],
  gssencmode: ['disable', 'prefer']
}

const modes = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full']
/** Values that postgres.js accepts in place of a mode. */
const aliases: Record<string, string> = { true: 'verify-full', false: 'disable' }

interface Setting { value: string, name: string }

type Find = (parameter: EncryptionParameter) => Setting | undefined

/**
 * The encryption that the URL, or else the environment, requires, with the meaning that libpq gives them (manual,
 * 34.1.2, 34.15 and 34.19). Reads files when it is called. Undefined when neither contains a parameter. Throws
 * FST_BACKUP_OPTION_INVALID for a requirement that cannot be met exactly.
 * @param origin of the URL, for messages
 */
export function readEncryption (given: Map<string, string>, origin: string): Encryption | undefined {
  const find: Find = (parameter) => {
    const value = given.get(parameter)
    return value === undefined ? readEnvironment(parameter) : { value, name: `${parameter} of ${origin}` }
  }
  refuseUnsupported(find)

  const root = find('sslrootcert')
  const ssl = given.get('ssl')
  const isMode = given.has('sslmode') || ssl === undefined
  const mode = readMode(isMode ? find('sslmode') : { value: ssl, name: `ssl of ${origin}` }, root)
  if (mode === undefined || mode === 'disable') return mode === undefined ? undefined : false
  const client = readClient(find)
  const range = { min: find('ssl_min_protocol_version'), max: find('ssl_max_protocol_version') }
  if (mode === 'prefer') {
    refuseWithPrefer(root ?? client.settings[0] ?? range.min ?? range.max)
    return 'prefer'
  }
  const settings = [...client.settings, range.min, range.max]
  return checked({
    ...verification(mode, root),
    ...client.options,
    ...range.min !== undefined && { minVersion: range.min.value as ConnectionOptions['minVersion'] },
    ...range.max !== undefined && { maxVersion: range.max.value as ConnectionOptions['maxVersion'] }
  }, settings.flatMap((setting) => setting?.name ?? []).join(', '))
}

function readEnvironment (parameter: EncryptionParameter): Setting | undefined {
  return environment[parameter]?.map((name) => ({ value: process.env[name] ?? '', name }))
    .find(({ value }) => value !== '')
}

function refuseUnsupported (find: Find): void {
  for (const [parameter, harmless] of Object.entries(unsupported) as Array<[EncryptionParameter, string[]]>) {
    const setting = find(parameter)
    if (setting !== undefined && !harmless.includes(setting.value)) {
      throw new OptionInvalid(`${setting.name} requires what this driver cannot do; omit it, ` +
        'and verify the server by sslmode verify-full')
    }
  }
}

function refuseWithPrefer (setting: Setting | undefined): void {
  if (setting === undefined) return
  throw new OptionInvalid(`${setting.name} has no effect with sslmode prefer, which continues without encryption; ` +
    'set sslmode to verify-full, verify-ca or require')
}

function readMode (given: Setting | undefined, root: Setting | undefined): string | undefined {
  const isSystem = root?.value === 'system'
  if (given === undefined) {
    if (root === undefined || isSystem) return isSystem ? 'verify-full' : undefined
    throw new OptionInvalid(`${root.name} is given without a mode, and would verify nothing; ` +
      'set sslmode or PGSSLMODE to verify-full or verify-ca')
  }
  const mode = aliases[given.value] ?? given.value
  if (!modes.includes(mode)) {
    throw new OptionInvalid(`${given.name} must be one of ${modes.join(', ')}; ` +
      'allow is not supported, since it prefers a connection without encryption')
  }
  if (isSystem && mode !== 'verify-full' && mode !== 'disable') {
    throw new OptionInvalid(`${root.name} is system, which needs sslmode verify-full: ` +
      'anyone can get a certificate of a public authority')
  }
  return mode
}

/**
 * How the certificate of the server is verified. As in libpq, mode require verifies it too when the certificate of an
 * authority is found.
 */
function verification (mode: string, root: Setting | undefined): ConnectionOptions {
  const file = defaultAuthorityFile(process.platform)
  const found = root ?? (existsSync(file) ? { value: file, name: `the file ${file}` } : undefined)
  const ca = found === undefined || found.value === 'system' ? undefined : readAuthority(found)
  if (mode === 'verify-full') return { rejectUnauthorized: true, ...ca !== undefined && { ca } }
  if (ca !== undefined) return { rejectUnauthorized: true, ca, checkServerIdentity: acceptAnyHost }
  if (mode === 'require') return { rejectUnauthorized: false }
  throw new OptionInvalid('sslmode verify-ca needs the certificate of the authority: set sslrootcert or PGSSLROOTCERT')
}

/** The file in which libpq looks for the certificates of authorities (manual, 34.19.1). */
export function defaultAuthorityFile (platform: NodeJS.Platform): string {
  const directory = platform === 'win32'
    ? join(String(process.env.APPDATA), 'postgresql')
    : join(homedir(), '.postgresql')
  return join(directory, 'root.crt')
}

function readClient (find: Find): { options: ConnectionOptions, settings: Setting[] } {
  const [cert, key, passphrase] = [find('sslcert'), find('sslkey'), find('sslpassword')]
  const settings = [cert, key].filter((setting) => setting !== undefined)
  const [first] = settings
  if (first === undefined) return { options: {}, settings }
  if (cert === undefined || key === undefined) {
    throw new OptionInvalid(`${first.name} needs its counterpart: give sslcert and sslkey`)
  }
  const options = {
    cert: readFile(cert),
    key: readFile(key),
    ...passphrase !== undefined && { passphrase: passphrase.value }
  }
  return { options, settings }
}

function readFile ({ value, name }: Setting): string {
  try {
    return readFileSync(value, 'utf8')
  } catch (error) {
    throw new OptionInvalid(`${name} names a file that cannot be read (${errorCode(error)})`)
  }
}

const errorCode = (error: unknown): string => String((error as { code?: unknown }).code)

/** OpenSSL ignores text that is not a certificate, and then trusts no authority. */
function readAuthority (setting: Setting): string {
  const text = readFile(setting)
  try {
    return new X509Certificate(text) && text
  } catch {
    throw new OptionInvalid(`${setting.name} contains no certificate in PEM`)
  }
}

/**
 * Throws FST_BACKUP_OPTION_INVALID for options of which no TLS context can be made: postgres.js makes it where an error
 * ends the process.
 */
export function checked<E extends ConnectionOptions> (encryption: E, names: string): E {
  try {
    createSecureContext(encryption)
    return encryption
  } catch (error) {
    throw new OptionInvalid(`${names} cannot be used for TLS (${errorCode(error)})`)
  }
}

/**
 * The same encryption for a server with these addresses. postgres.js passes the host to TLS when it is a name, and not
 * when it is an IP address: then a certificate for `localhost` would be accepted.
 */
export function encryptionFor (encryption: unknown, host: string[]): unknown {
  const options = verifyingOptions(encryption)
  if (options === undefined || options.servername !== undefined || options.host !== undefined) return encryption
  if (!host.some((address) => isIP(address) !== 0)) return encryption
  if (host.length > 1) {
    throw new OptionInvalid('the certificates of several servers cannot be checked by their IP addresses; ' +
      'give their names')
  }
  return { ...options, host: host[0] }
}

/** The TLS options of an encryption that compares the name of the server; undefined for any other. */
function verifyingOptions (encryption: unknown): ConnectionOptions | undefined {
  if (encryption === true || encryption === 'verify-full') return {}
  if (!isOptions(encryption)) return undefined
  const { rejectUnauthorized, checkServerIdentity } = encryption
  return rejectUnauthorized === false || checkServerIdentity !== undefined ? undefined : encryption
}

const isOptions = (value: unknown): value is ConnectionOptions => typeof value === 'object' && value !== null
