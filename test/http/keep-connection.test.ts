import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import type { BackupCalls } from '../../lib/service/backup-engine.ts'
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
