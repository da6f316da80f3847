import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { TLSSocket } from 'node:tls'
import type { TestScope } from './database.ts'
import { projectRoot } from './project-root.js'

/**
 * Certificates and keys of a test authority. The certificates are valid until 2120, except `expired`, which expired in
 * 2020. The private key of the authority no longer exists.
 */
export type CertificateName =
  | 'authority'
  | 'other-authority'
  | 'server'
  | 'server-key'
  | 'other-host'
  | 'localhost-only'
  | 'self-signed'
  | 'expired'
  | 'client'
  | 'client-key'
  | 'locked-key'

export const certificatePath = (name: CertificateName): string =>
  fileURLToPath(new URL(`test/support/certificates/${name}.pem`, projectRoot))

export const certificate = (name: CertificateName): string => readFileSync(certificatePath(name), 'utf8')

export interface TlsServer {
  port: number
  /** One entry for each connection; `client` is the common name of its client certificate. */
  connections: Array<{ encrypted: boolean, client: string | undefined }>
}

/**
 * Starts a proxy for the server at `url` that negotiates TLS as PostgreSQL does (manual, 55.2.10), with the certificate
 * `name`. Without a certificate it declines TLS.
 */
export async function useTlsServer (t: TestScope, url: string, name?: CertificateName): Promise<TlsServer> {
  const target = new URL(url)
  const connections: TlsServer['connections'] = []
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {})
    socket.once('data', (first) => {
      const isRequest = first.length === 8 && first.readInt32BE(4) === 80877103
      if (!isRequest) join(socket, first)
      else if (name === undefined) {
        socket.write('N')
        socket.once('data', (next) => {
          // A TLS handshake record; PostgreSQL reads it as a startup packet of invalid length
          if (next[0] === 0x16) socket.destroy()
          else join(socket, next)
        })
      } else secure(socket, name)
    })
  })

  function secure (socket: Socket, name: CertificateName): void {
    socket.write('S')
    const tls = new TLSSocket(socket, {
      isServer: true,
      cert: certificate(name),
      key: certificate('server-key'),
      ca: certificate('authority'),
      requestCert: true,
      rejectUnauthorized: false
    })
    tls.on('error', () => {})
    tls.once('secure', () => {
      const [client] = [tls.getPeerCertificate()?.subject?.CN ?? []].flat()
      connections.push({ encrypted: true, client })
    })
    tls.once('data', (first) => { pass(tls, first) })
  }

  function join (socket: Socket, first: Buffer): void {
    connections.push({ encrypted: false, client: undefined })
    pass(socket, first)
  }

  function pass (client: Socket, first: Buffer): void {
    const database = connect(Number(target.port), target.hostname)
    open.add(database)
    database.on('error', () => {})
    database.write(first)
    client.pipe(database).pipe(client)
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port, connections }
}
