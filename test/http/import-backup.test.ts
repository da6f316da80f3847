import { once } from 'node:events'
import { Agent, request, type ClientRequest } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import multipart from '@fastify/multipart'
import t from 'tap'
import { ShuttingDown, SnapshotInvalid } from '../../lib/errors.ts'
import { until } from '../support/until.ts'
import { createGate } from '../support/storage-double.ts'
import { buildApp } from './build-app.ts'

const url = '/admin/backup/import'
const file = '{"manifest":{},"data":{}}'

/** Begins an upload of two bytes, of which none is sent yet. */
function uploadOfTwoBytes (agent: Agent, port: number): ClientRequest {
  const headers = { 'content-type': 'application/json', 'content-length': 2 }
  return request({ agent, host: '127.0.0.1', port, path: url, method: 'POST', headers })
}

t.test('the body is passed to import() as a stream, with the actor', async (t) => {
  const { app, engine } = await buildApp(t, { options: { actor: () => 'ada' }, server: { bodyLimit: 10 } })
  const types = [
    'application/json', 'application/json; charset=utf-8', 'application/octet-stream', 'application/gzip',
    'application/x-gzip', 'application/zstd'
  ]
  for (const type of types) {
    const response = await app.inject({
      method: 'POST', url, payload: Readable.from([file]), headers: { 'content-type': type }
    })
    t.equal(response.statusCode, 201, type)
    const backup = response.json()
    t.match(backup, { trigger: 'import', createdBy: 'ada', sizeBytes: file.length })
    t.equal(response.headers.location, `/admin/backup/${backup.id}`)
  }
  t.strictSame(engine.calls.map(([name]) => name), types.map(() => 'import'))
})

t.test('a missing body is an empty file', async (t) => {
  const { app, engine } = await buildApp(t)
  engine.import = async (source) => {
    t.equal(await text(source), '')
    throw new SnapshotInvalid('it is empty')
  }
  t.equal((await app.inject({ method: 'POST', url })).statusCode, 422)
})

t.test('content types of HTML forms, a query and cross-site requests are errors', async (t) => {
  const { app, engine } = await buildApp(t)
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    t.equal(
      (await app.inject({ method: 'POST', url, payload: file, headers: { 'content-type': type } })).statusCode,
      415,
      type
    )
  }
  t.equal((await app.inject({ method: 'POST', url: `${url}?note=x`, payload: {} })).statusCode, 400)
  t.equal(
    (await app.inject({
      method: 'POST',
      url,
      payload: file,
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'cross-site' }
    })).statusCode,
    403
  )
  t.strictSame(engine.calls, [])
})

t.test('a body with a content-encoding other than gzip and zstd is an error that names the reason', async (t) => {
  const { app, engine } = await buildApp(t)
  for (const encoding of ['deflate', 'br', 'gzip, gzip', 'identity, gzip']) {
    const response = await app.inject({
      method: 'POST',
      url,
      payload: file,
      headers: { 'content-type': 'application/json', 'content-encoding': encoding }
    })
    t.match(
      response.json(), { statusCode: 415, code: 'FST_BACKUP_IMPORT_ENCODED', message: /content-encoding/ }, encoding
    )
  }
  t.strictSame(engine.calls, [])
  for (const encoding of ['identity', 'Identity', '', 'gzip', 'x-gzip', 'GZIP', 'zstd']) {
    t.equal(
      (await app.inject({
        method: 'POST',
        url,
        payload: file,
        headers: { 'content-type': 'application/json', 'content-encoding': encoding }
      })).statusCode,
      201,
      encoding
    )
  }
})

t.test('other routes accept JSON only', async (t) => {
  const { app } = await buildApp(t)
  t.equal(
    (await app.inject({
      method: 'POST', url: '/admin/backup', payload: file, headers: { 'content-type': 'application/octet-stream' }
    })).statusCode,
    415
  )
  t.equal((await app.inject({ method: 'POST', url: '/admin/backup', payload: { note: 'x' } })).statusCode, 201)
})

t.test('restoreAuth is required before anything is said about the body', async (t) => {
  const { app } = await buildApp(t, { options: { restoreAuth: [async () => { throw new Error('no') }] } })
  for (const headers of [
    { 'content-type': 'application/json', 'content-encoding': 'br' }, { 'content-type': 'multipart/form-data' }
  ]) t.equal((await app.inject({ method: 'POST', url, headers, payload: '{}' })).statusCode, 401)
})

t.test('an error response is sent while the client is still sending, and the connection is then closed', async (t) => {
  // Without the timeout of an idle connection, which would also close it
  const { app, engine } = await buildApp(t, { server: { keepAliveTimeout: 0 } })
  engine.import = async (source) => {
    await once(source, 'readable')
    source.read()
    throw new SnapshotInvalid('it is not one')
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const body = new PassThrough()
  const sending = request({
    host: '127.0.0.1',
    port,
    path: url,
    method: 'POST',
    headers: { 'content-type': 'application/json' }
  })
  sending.on('error', () => {})
  body.pipe(sending)
  body.write('x'.repeat(100_000))
  const [response] = await once(sending, 'response')
  t.equal(response.statusCode, 422)
  t.match(JSON.parse(await text(response)), { code: 'FST_BACKUP_SNAPSHOT_INVALID' })
  await once(sending, 'close', { signal: AbortSignal.timeout(30_000) })
})

t.test('a client that completes a refused upload keeps the connection, without accumulating listeners', async (t) => {
  const { app, engine } = await buildApp(t)
  engine.import = async (source) => {
    await once(source, 'readable')
    throw new SnapshotInvalid('it is not one')
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const sockets: Socket[] = []
  app.server.on('connection', (socket) => { sockets.push(socket) })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => { agent.destroy() })
  const listeners: number[] = []
  for (let count = 0; count < 12; count++) {
    const sending = uploadOfTwoBytes(agent, port)
    sending.write('x')
    const [response] = await once(sending, 'response')
    t.equal(response.statusCode, 422)
    sending.end('x')
    await text(response)
    listeners.push(sockets[0]?.listenerCount('close') ?? 0)
  }
  t.equal(sockets.length, 1)
  t.equal(listeners.at(-1), listeners[1])
})

t.test('a client that completes an upload while the app closes does not delay it', async (t) => {
  const { app, engine } = await buildApp(t)
  const arrived = createGate()
  engine.import = async () => {
    await arrived.pass()
    throw new ShuttingDown()
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const agent = new Agent({ keepAlive: true })
  t.after(() => { agent.destroy() })
  const sending = uploadOfTwoBytes(agent, port)
  sending.write('x')
  await arrived.reached
  const closing = app.close()
  await until(async () => !app.server.listening)
  arrived.open()
  const [response] = await once(sending, 'response')
  t.equal(response.statusCode, 503)
  sending.end('x')
  await text(response)
  // Otherwise it would wait for the keep-alive timeout of the connection, 72 s
  const waited = delay(60_000, 'kept open', { ref: false })
  t.equal(await Promise.race([closing.then(() => 'closed'), waited]), 'closed')
})

t.test('an upload is not stalled while the import waits, or when it has arrived completely', async (t) => {
  const { app, engine } = await buildApp(t)
  const sockets = new Set<Socket>()
  app.server.on('connection', (socket) => { sockets.add(socket) })
  // The event of a socket on which nothing was sent for the stall timeout
  const elapse = (): void => { for (const socket of sockets) socket.emit('timeout') }
  const importing = engine.import
  engine.import = async (source, ...rest) => {
    elapse()
    const backup = await importing(source, ...rest)
    elapse()
    return backup
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  for (const body of [file, `${file.slice(0, -1)}${' '.repeat(300_000)}}`]) {
    const response = await fetch(`http://127.0.0.1:${port}${url}`, {
      method: 'POST', body, headers: { 'content-type': 'application/json' }
    })
    t.equal(response.status, 201)
  }
})

t.test('a stalled upload is aborted', async (t) => {
  const { app, engine } = await buildApp(t, { stallTimeoutMs: 50 })
  const ended = new Promise((resolve) => {
    engine.import = async (source) => {
      await text(source).catch(resolve)
      throw new SnapshotInvalid('it did not arrive')
    }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  socket.write(`POST ${url} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`)
  await once(socket, 'close')
  t.match(await ended, { code: 'FST_BACKUP_ABORTED' })
})

t.test('POST /:id/verify responds with the result of the verification', async (t) => {
  const { app, engine } = await buildApp(t)
  const { id } = engine.put()
  const response = await app.inject({ method: 'POST', url: `/admin/backup/${id}/verify` })
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), { ok: true, problems: [] })
  t.equal(
    (await app.inject({ method: 'POST', url: `/admin/backup/${id}/verify`, payload: { deep: true } })).statusCode, 400
  )
  t.equal(
    (await app.inject({ method: 'POST', url: '/admin/backup/11111111-1111-4111-8111-111111111111/verify' })).statusCode,
    404
  )
})

t.test('a form is refused with the command that sends the file, also with @fastify/multipart', async (t) => {
  for (const attachFieldsToBody of [undefined, false, true]) {
    const { app, engine } = await buildApp(t, {
      before: async (app) => {
        if (attachFieldsToBody !== undefined) await app.register(multipart, { attachFieldsToBody })
      }
    })
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    const form = new FormData()
    form.append('file', new Blob([file, ' '.repeat(1_000_000)], { type: 'application/json' }), 'snapshot.json')
    for (const body of [form, new URLSearchParams(file), 'text']) {
      const response = await fetch(origin + url, { method: 'POST', body })
      t.match(await response.json(), {
        statusCode: 415,
        code: 'FST_BACKUP_IMPORT_CONTENT_TYPE',
        message: /with curl: -X POST -H 'content-type: application\/json' -T snapshot\.json$/
      })
    }
    t.strictSame(engine.calls, [])
  }
})
