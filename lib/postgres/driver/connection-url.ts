/** A connection URL, with what postgres.js does not know of libpq's taken out (manual, 34.1.1.2 and 34.1.2). */
export interface ConnectionUrl {
  /** For postgres.js. */
  url: string
  /** What libpq takes from the query and postgres.js from its options. */
  options: { host?: string, port?: number, user?: string, password?: string, database?: string }
  /** Parameters of the query that decide on the encryption. */
  encryption: Map<string, string>
}

/** Parameters of libpq's that say how the connection is protected. Whoever sets one relies on it, so none may reach the server as a setting. */
export const encryptionParameters = ['sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey', 'sslpassword', 'ssl_min_protocol_version', 'ssl_max_protocol_version',
  'sslcrl', 'sslcrldir', 'sslcertmode', 'sslcompression', 'sslsni', 'requiressl', 'requirepeer', 'require_auth', 'channel_binding', 'gssencmode'] as const
export type EncryptionParameter = typeof encryptionParameters[number]

/** Throws a TypeError for what is no URL. */
export function readConnectionUrl (text: string): ConnectionUrl {
  const [, scheme = '', login = '', address = '', path = '', query = ''] = /^([a-z]+:\/\/)([^/?#]*@)?([^/?#@]*)([^?#]*)(?:\?([^#]*))?$/s.exec(text) ?? []
  if (scheme === '') throw new TypeError('no URL')
  const parameters = new URLSearchParams(query)
  const take = (name: string): string | undefined => {
    const value = parameters.get(name) ?? undefined
    parameters.delete(name)
    return value === '' ? undefined : value
  }

  const encryption = new Map(encryptionParameters.flatMap((name) => {
    const value = take(name)
    return value === undefined ? [] : [[name, value] as const]
  }))
  // A directory as host is that of a socket. It may stand for the host, percent-encoded, or in the query
  const [, directory, socketPort] = /^(%2F[^:]*)(?::(\d+))?$/i.exec(address) ?? []
  const host = take('host') ?? (directory !== undefined ? decodeURIComponent(directory) : address === '' ? process.env.PGHOST : undefined)
  const port = take('port') ?? socketPort
  const [user, password, database] = [take('user'), take('password'), take('dbname')]
  if (port !== undefined && !isPort(port)) throw new TypeError('no port')
  if (host?.includes('/') === true && host.includes(',')) throw new TypeError('several sockets')
  const rest = parameters.toString()
  return {
    // The constructor of URL takes no login without a host
    url: `${scheme}${login}${address === '' || directory !== undefined ? 'localhost' : address}${path}${rest === '' ? '' : `?${rest}`}`,
    options: {
      ...host !== undefined && { host },
      ...port !== undefined && { port: Number(port) },
      ...user !== undefined && { user },
      ...password !== undefined && { password },
      ...database !== undefined && { database }
    },
    encryption
  }
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535
