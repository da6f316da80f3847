import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { TestScope } from './database.ts'

/** One connection to the database. */
export interface Link {
  /** Ends the connection now. */
  cut: () => void
  /** Lets the database receive what was sent, and ends the connection before the client receives the answer. */
  loseAnswer: () => void
}

/** A proxy in front of the database that can interrupt its connections. */
export interface TcpProxy {
  /** The URL of the database through the proxy. */
  url: string
  /** Called with everything that is sent to the database, before the database receives it. */
  onSent: (text: string, link: Link) => void
  /** Ends the open connections and refuses new ones, like a server that is down. */
  refuse: () => Promise<void>
  /** Ends refuse(). */
  accept: () => Promise<void>
  /** Drops all data in both directions without ending the connections. */
  freeze: () => void
  /** Delays all data until go() is called. */
  stall: () => void
  /** Delays the rows that COPY transfers on connections that have begun a COPY, until go() is called. */
  trickle: () => void
  go: () => void
}

/** How long a connection waits after each chunk while rows trickle. */
const trickleMs = 100

export async function useTcpProxy (t: TestScope, url: string): Promise<TcpProxy> {
  const target = new URL(url)
  const links = new Set<Link>()
  const sockets = new Set<Socket>()
  let isFrozen = false
  let isStalled = false
  let isTrickling = false
  let server = await listen(0)
  const { port } = server.address() as AddressInfo
  const address = new URL(url)
  address.hostname = '127.0.0.1'
  address.port = String(port)

  async function listen (wanted: number): Promise<Server> {
    const server = createServer(accepted).listen(wanted, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  function slowDown (socket: Socket): void {
    if (!isTrickling) return
    socket.pause()
    setTimeout(() => { if (!isStalled) socket.resume() }, trickleMs)
  }

  function accepted (client: Socket): void {
    const database = connect(Number(target.port), target.hostname)
    let isLost = false
    let copies = false
    const link: Link = {
      cut () {
        links.delete(link)
        client.destroy()
        database.destroy()
      },
      loseAnswer () { isLost = true }
    }
    links.add(link)
    for (const socket of [client, database]) {
      sockets.add(socket)
      socket.on('error', link.cut).on('close', () => {
        sockets.delete(socket)
        link.cut()
      })
    }
    client.on('data', (chunk) => {
      if (isFrozen) return
      const text = chunk.toString('latin1')
      copies ||= /COPY .* (?:TO STDOUT|FROM STDIN)/.test(text)
      proxy.onSent(text, link)
      database.write(chunk)
      if (copies) slowDown(client)
    })
    database.on('data', (chunk) => {
      if (isLost) link.cut()
      else if (!isFrozen) client.write(chunk)
      if (copies) slowDown(database)
    })
    // A listener for data starts the flow
    if (isStalled) proxy.stall()
  }

  const proxy: TcpProxy = {
    url: address.href,
    onSent () {},
    async refuse () {
      const closed = new Promise((resolve) => { server.close(resolve) })
      for (const link of links) link.cut()
      await closed
    },
    async accept () { server = await listen(port) },
    freeze () { isFrozen = true },
    stall () {
      isStalled = true
      for (const socket of sockets) socket.pause()
    },
    trickle () { isTrickling = true },
    go () {
      isStalled = false
      isTrickling = false
      for (const socket of sockets) socket.resume()
    }
  }
  t.after(async () => {
    if (server.listening) await proxy.refuse()
  })
  return proxy
}
