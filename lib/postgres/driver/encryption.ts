import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, type ConnectionOptions, type PeerCertificate } from 'node:tls'
import { OptionInvalid } from '../../errors.ts'
import type { EncryptionParameter } from './connection-url.ts'

/** What postgres.js takes as `ssl`. */
export type Encryption = false | 'prefer' | ConnectionOptions

/** For `verify-ca`: the authority is checked, and the name is not. One function, so that another thread can have its own. */
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

/** What can't be done here, with the values that ask for nothing. */
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
/** Other spellings, of postgres.js. */
const aliases: Record<string, string> = { true: 'verify-full', false: 'disable' }

interface Setting { value: string, name: string }

/**
 * How the connection is protected, by the URL and else by the environment, as libpq reads them (manual, 34.1.2, 34.15 and 34.19): files are read here
 * and now. Undefined when neither says anything. What can't be done exactly is refused: FST_BACKUP_OPTION_INVALID.
 * @param place what the URL's parameters belong to, for the message
 */
export function readEncryption (given: Map<string, string>, place: string): Encryption | undefined {
  const find = (parameter: EncryptionParameter): Setting | undefined => {
    const value = given.get(parameter)
    if (value !== undefined) return { value, name: `${parameter} of ${place}` }
    return environment[parameter]?.map((variable) => ({ value: process.env[variable] ?? '', name: variable })).find((setting) => setting.value !== '')
  }
  for (const [parameter, harmless] of Object.entries(unsupported) as Array<[EncryptionParameter, string[]]>) {
    const setting = find(parameter)
    if (setting !== undefined && !harmless.includes(setting.value)) throw new OptionInvalid(`${setting.name} asks for what this driver can not do; leave it out, and have the server checked by sslmode verify-full`)
  }

  const root = find('sslrootcert')
  const ssl = given.get('ssl')
  const mode = readMode(given.has('sslmode') || ssl === undefined ? find('sslmode') : { value: ssl, name: `ssl of ${place}` }, root)
  if (mode === undefined || mode === 'disable') return mode === undefined ? undefined : false
  const client = readClient(find)
  const range = { min: find('ssl_min_protocol_version'), max: find('ssl_max_protocol_version') }
  if (mode === 'prefer') {
    const unkept = root ?? client.settings[0] ?? range.min ?? range.max
    if (unkept !== undefined) throw new OptionInvalid(`${unkept.name} has no effect with sslmode prefer, which goes on without encryption; set sslmode to verify-full, verify-ca or require`)
    return 'prefer'
  }
  return checked({
    ...verification(mode, root),
    ...client.options,
    ...range.min !== undefined && { minVersion: range.min.value as ConnectionOptions['minVersion'] },
    ...range.max !== undefined && { maxVersion: range.max.value as ConnectionOptions['maxVersion'] }
  }, [...client.settings, range.min, range.max].flatMap((setting) => setting?.name ?? []).join(', '))
}

function readMode (given: Setting | undefined, root: Setting | undefined): string | undefined {
  const isSystem = root?.value === 'system'
  if (given === undefined) {
    if (root === undefined || isSystem) return isSystem ? 'verify-full' : undefined
    throw new OptionInvalid(`${root.name} is given without a mode, and would check nothing; set sslmode or PGSSLMODE to verify-full or verify-ca`)
  }
  const mode = aliases[given.value] ?? given.value
  if (!modes.includes(mode)) throw new OptionInvalid(`${given.name} must be one of ${modes.join(', ')}; allow is not supported, since it prefers a connection without encryption`)
  if (isSystem && mode !== 'verify-full' && mode !== 'disable') throw new OptionInvalid(`${root.name} is system, which needs sslmode verify-full: anybody can have a certificate of a public authority`)
  return mode
}

/** What of the server is checked. As with libpq, a certificate of an authority that is at hand is checked also where the mode is require. */
function verification (mode: string, root: Setting | undefined): ConnectionOptions {
  const file = defaultAuthorityFile(process.platform)
  const found = root ?? (existsSync(file) ? { value: file, name: `the file ${file}` } : undefined)
  const ca = found === undefined || found.value === 'system' ? undefined : readAuthority(found)
  if (mode === 'verify-full') return { rejectUnauthorized: true, ...ca !== undefined && { ca } }
  if (ca !== undefined) return { rejectUnauthorized: true, ca, checkServerIdentity: acceptAnyHost }
  if (mode === 'require') return { rejectUnauthorized: false }
  throw new OptionInvalid('sslmode verify-ca needs the certificate of the authority: set sslrootcert or PGSSLROOTCERT')
}

/** Where libpq looks for the certificates of authorities (manual, 34.19.1). */
export function defaultAuthorityFile (platform: NodeJS.Platform): string {
  return join(platform === 'win32' ? join(String(process.env.APPDATA), 'postgresql') : join(homedir(), '.postgresql'), 'root.crt')
}

function readClient (find: (parameter: EncryptionParameter) => Setting | undefined): { options: ConnectionOptions, settings: Setting[] } {
  const [cert, key, passphrase] = [find('sslcert'), find('sslkey'), find('sslpassword')]
  const settings = [cert, key].filter((setting) => setting !== undefined)
  const lonely = settings[0]
  if (lonely === undefined) return { options: {}, settings }
  if (cert === undefined || key === undefined) throw new OptionInvalid(`${lonely.name} needs its counterpart: give sslcert and sslkey`)
  return { options: { cert: readFile(cert), key: readFile(key), ...passphrase !== undefined && { passphrase: passphrase.value } }, settings }
}

function readFile ({ value, name }: Setting): string {
  try {
    return readFileSync(value, 'utf8')
  } catch (error) {
    throw new OptionInvalid(`${name} names a file that can not be read (${errorCode(error)})`)
  }
}

const errorCode = (error: unknown): string => String((error as { code?: unknown }).code)

/** OpenSSL passes over what is no certificate, and then trusts nobody. */
function readAuthority (setting: Setting): string {
  const text = readFile(setting)
  try {
    return new X509Certificate(text) && text
  } catch {
    throw new OptionInvalid(`${setting.name} holds no certificate in PEM`)
  }
}

/** postgres.js makes the same in a place where an error ends the process. Throws FST_BACKUP_OPTION_INVALID. */
export function checked<E extends ConnectionOptions> (encryption: E, names: string): E {
  try {
    createSecureContext(encryption)
    return encryption
  } catch (error) {
    throw new OptionInvalid(`${names} can not be used for TLS (${errorCode(error)})`)
  }
}

/**
 * The same for these addresses. postgres.js gives TLS the name of a host, and not an IP address: without that, a certificate for `localhost` would do.
 */
export function encryptionFor (encryption: unknown, host: string[]): unknown {
  const options: ConnectionOptions | undefined = encryption === true || encryption === 'verify-full' ? {} : isOptions(encryption) ? encryption : undefined
  if (options === undefined || options.rejectUnauthorized === false || options.checkServerIdentity !== undefined) return encryption
  if (options.servername !== undefined || options.host !== undefined || !host.some((address) => isIP(address) !== 0)) return encryption
  if (host.length > 1) throw new OptionInvalid('the certificates of several servers can not be checked by their IP addresses; give their names')
  return { ...options, host: host[0] }
}

const isOptions = (value: unknown): value is ConnectionOptions => typeof value === 'object' && value !== null
