/** A connection URL without the parts that only libpq understands (manual, 34.1.1.2 and 34.1.2). */
export interface ConnectionUrl {
  /** For postgres.js. */
  url: string
  /** Parameters that libpq reads from the query, and postgres.js from its options. */
  options: { host?: string, port?: number, user?: string, password?: string, database?: string }
  /** Parameters of the query that control encryption. */
  encryption: Map<string, string>
}

/**
 * Parameters of libpq that control how the connection is protected. A user who sets one relies on it, so none of them
 * may be sent to the server as a setting.
 */
export const encryptionParameters = [
  'sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey', 'sslpassword', 'ssl_min_protocol_version',
  'ssl_max_protocol_version', 'sslcrl', 'sslcrldir', 'sslcertmode', 'sslcompression', 'sslsni', 'requiressl',
  'requirepeer', 'require_auth', 'channel_binding', 'gssencmode'
] as const
export type EncryptionParameter = typeof encryptionParameters[number]

/** Throws a TypeError when `text` is not a valid URL. */
export function readConnectionUrl (text: string): ConnectionUrl {
  const parts = /^([a-z]+:\/\/)([^/?#]*@)?([^/?#@]*)([^?#]*)(?:\?([^#]*))?$/s.exec(text) ?? []
  const [, scheme = '', login = '', address = '', path = '', query = ''] = parts
  if (scheme === '') throw new TypeError('not a URL')
  const parameters = new URLSearchParams(query)
  const encryption = takeEncryption(parameters)
  // A directory as host contains a socket. It may replace the host, percent-encoded, or be in the query
  const [, directory, socketPort] = /^(%2F[^:]*)(?::(\d+))?$/i.exec(address) ?? []
  const options = takeOptions(parameters, address, directory, socketPort)
  const rest = parameters.toString()
  // The constructor of URL does not accept a login without a host
  const host = address === '' || directory !== undefined ? 'localhost' : address
  return { url: `${scheme}${login}${host}${path}${rest === '' ? '' : `?${rest}`}`, options, encryption }
}

function take (parameters: URLSearchParams, name: string): string | undefined {
  const value = parameters.get(name) ?? undefined
  parameters.delete(name)
  return value === '' ? undefined : value
}

function takeEncryption (parameters: URLSearchParams): Map<string, string> {
  return new Map(encryptionParameters.flatMap((name) => {
    const value = take(parameters, name)
    return value === undefined ? [] : [[name, value] as const]
  }))
}

function takeOptions (
  parameters: URLSearchParams, address: string, directory: string | undefined, socketPort: string | undefined
): ConnectionUrl['options'] {
  const fallback = address === '' ? process.env.PGHOST : undefined
  const host = take(parameters, 'host') ?? (directory === undefined ? fallback : decodeURIComponent(directory))
  const port = take(parameters, 'port') ?? socketPort
  const [user, password, database] = ['user', 'password', 'dbname'].map((name) => take(parameters, name))
  if (port !== undefined && !isPort(port)) throw new TypeError('not a port')
  if (host?.includes('/') === true && host.includes(',')) throw new TypeError('several sockets')
  return {
    ...host !== undefined && { host },
    ...port !== undefined && { port: Number(port) },
    ...user !== undefined && { user },
    ...password !== undefined && { password },
    ...database !== undefined && { database }
  }
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535
