import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { TLSSocket } from 'node:tls'
import type { TestScope } from './database.ts'
import { projectRoot } from './project-root.js'

/** Of a test authority; all are valid until 2120, but for the one that expired in 2020. The key of the authority was thrown away. */
export type CertificateName = 'authority' | 'other-authority' | 'server' | 'server-key' | 'other-host' | 'localhost-only' | 'self-signed' | 'expired' | 'client' | 'client-key' | 'locked-key'

export const certificatePath = (name: CertificateName): string => fileURLToPath(new URL(`test/support/certificates/${name}.pem`, projectRoot))
export const certificate = (name: CertificateName): string => readFileSync(certificatePath(name), 'utf8')

export interface TlsServer {
  port: number
  /** What each connection was: encrypted, and with which client certificate. */
  connections: Array<{ encrypted: boolean, client: string | undefined }>
}

/** A server that speaks TLS as PostgreSQL does (manual, 55.2.10), with this certificate, before the one at `url`. Without a certificate it has no TLS. */
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
          // What PostgreSQL takes for a startup packet of an impossible length
          if (next[0] === 0x16) socket.destroy()
          else join(socket, next)
        })
      } else secure(socket, name)
    })
  })

  function secure (socket: Socket, name: CertificateName): void {
    socket.write('S')
    const options = { isServer: true, cert: certificate(name), key: certificate('server-key'), ca: certificate('authority'), requestCert: true, rejectUnauthorized: false }
    const tls = new TLSSocket(socket, options)
    tls.on('error', () => {})
    tls.once('secure', () => { connections.push({ encrypted: true, client: [tls.getPeerCertificate()?.subject?.CN ?? []].flat()[0] }) })
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
