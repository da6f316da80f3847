import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { type ClientHttp2Stream, connect, type Http2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import t from 'tap'
import type { BackupCalls } from '../../lib/service/backup-engine.ts'
import { keepConnection } from '../../lib/http/keep-connection.ts'
import { until } from '../support/until.ts'
import { buildApp } from './build-app.ts'

const base = '/admin/backup'
const connectionTimeout = 50_000

for (const keepAliveTimeout of [0, 70_000]) {
  t.test(`long routes suspend the connectionTimeout of the app (keepAliveTimeout: ${keepAliveTimeout})`, async (t) => {
    const { app, engine } = await buildApp(t, {
      server: { connectionTimeout, keepAliveTimeout },
      options: { allowRestore: true, restoreAuth: [async () => {}] },
      stallTimeoutMs: 3000
    })
    const sockets: Socket[] = []
    app.server.on('connection', (socket) => { sockets.push(socket) })
    /** The timeout of the connection at each call of the engine. */
    const timeouts: Array<[keyof BackupCalls, number | undefined]> = []
    for (const call of ['beginCreate', 'beginRestore', 'plan', 'verify', 'get', 'list', 'import'] as const) {
      const original: (...values: never[]) => Promise<unknown> = engine[call]
      Object.assign(engine, {
        [call] (...values: never[]) {
          timeouts.push([call, sockets[0]?.timeout])
          return original(...values)
        }
      })
    }
    const { id } = engine.put('0123456789')
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => { agent.destroy() })

    const calls: Array<[string, string, keyof BackupCalls, number]> = [
      ['POST', base, 'beginCreate', 0], ['POST', `${base}/${id}/restore`, 'beginRestore', 0],
      ['POST', `${base}/${id}/plan`, 'plan', 0], ['POST', `${base}/${id}/verify`, 'verify', 0],
      ['GET', `${base}/${id}/download`, 'get', 0], ['POST', `${base}/import`, 'import', 3000]
    ]
    for (const [method, path, call, expected] of calls) {
      timeouts.length = 0
      for (const target of [{ method, path }, { method: 'GET', path: base }]) {
        const sending = request({ agent, host: '127.0.0.1', port, ...target })
        sending.end()
        const [response] = await once(sending, 'response')
        t.ok(response.statusCode < 300, `${target.method} ${target.path}`)
        await text(response)
      }
      t.strictSame(timeouts, [[call, expected], ['list', connectionTimeout]], path)
    }
    t.equal(sockets.length, 1)
  })
}

t.test('long routes suspend the timeout of an HTTP/2 session until the last of them has ended', async (t) => {
  const http2SessionTimeout = 40_000
  const { app, engine } = await buildApp(t, {
    server: { http2: true, connectionTimeout, http2SessionTimeout } as FastifyServerOptions
  })
  const sessions: Http2Session[] = []
  app.server.on('session', (session: Http2Session) => { sessions.push(session) })
  const timeout = (): unknown => Reflect.get(Object(sessions[0]), 'timeout')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const client = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  t.after(() => { client.destroy() })
  const send = (method: string, path: string): ClientHttp2Stream => client.request({ ':method': method, ':path': path })
  const answered = async (stream: ClientHttp2Stream): Promise<number> => {
    const [headers] = await once(stream, 'response')
    stream.resume()
    await once(stream, 'close')
    return Number(headers[':status'])
  }
  t.equal(await answered(send('GET', base)), 200)
  t.equal(timeout(), http2SessionTimeout)

  const release = engine.hold()
  const [first, second] = [send('POST', base).end(), send('POST', base).end()]
  await until(() => engine.calls.filter(([call]) => call === 'beginCreate').length === 2)
  t.equal(timeout(), 0)
  second.close()
  await once(second, 'close')
  t.equal(await answered(send('GET', base)), 200)
  t.equal(timeout(), 0)
  release()
  t.equal(await answered(first), 201)
  await until(() => timeout() === http2SessionTimeout)
})

t.test('a request whose HTTP/2 session has ended is handled', (t) => {
  const raw = { httpVersionMajor: 2, stream: {} }
  keepConnection({ raw } as unknown as FastifyRequest, {} as FastifyReply, () => { t.end() })
})
