import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { FileGone } from '../../lib/errors.ts'
import type { Backup } from '../../types/index.ts'
import { until } from '../support/until.ts'
import { buildApp } from './build-app.ts'
import type { EngineDouble } from './engine-double.ts'

const content = '0123456789'
const addressOf = ({ id }: Backup): string => `/admin/backup/${id}/download`

async function listen (app: FastifyInstance): Promise<{ port: number, host: string }> {
  const address = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  return { port: Number(address.port), host: address.hostname }
}

/** An endless file. */
const endless = (): Readable => new Readable({ read () { this.push(Buffer.alloc(65536)) } })

async function closed (engine: EngineDouble): Promise<boolean> {
  const [stream] = engine.streams
  if (stream === undefined) return false
  // Not once(), which rejects when the stream emits an error
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  return stream.destroyed
}

t.test('the response is the complete file, with its headers', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put(content)
  const response = await app.inject(addressOf(backup))
  t.equal(response.statusCode, 200)
  t.equal(response.body, content)
  t.match(response.headers, {
    'content-type': 'application/json',
    'content-length': '10',
    'content-disposition': `attachment; filename="${backup.filename}"`,
    'cache-control': 'no-store',
    'accept-ranges': 'bytes',
    etag: `"${backup.checksum}"`
  })
  t.strictSame(engine.calls, [['get', backup.id], ['download', backup.id, undefined]])
})

t.test('a file name cannot inject headers', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put(content, { filename: 'a%22b"\r\nset-cookie: x=1.json' })
  const response = await app.inject(addressOf(backup))
  t.equal(response.statusCode, 200)
  t.equal(response.headers['set-cookie'], undefined)
  t.match(response.headers['content-disposition'], /^attachment; filename="a%22b\\"\?\?set-cookie: x=1\.json"/)
})

t.test('HEAD responds with the same headers and does not open the file', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put(content)
  const head = await app.inject({ method: 'HEAD', url: addressOf(backup) })
  const get = await app.inject(addressOf(backup))
  t.equal(head.statusCode, 200)
  t.equal(head.body, '')
  t.strictSame({ ...head.headers, date: '' }, { ...get.headers, date: '' })
  t.equal(engine.streams.length, 1)
})

t.test('HEAD ignores Range', async (t) => {
  const { app, engine } = await buildApp(t)
  const response = await app.inject({
    method: 'HEAD', url: addressOf(engine.put(content)), headers: { range: 'bytes=0-3' }
  })
  t.equal(response.statusCode, 200)
  t.equal(response.headers['content-length'], '10')
})

for (const [range, bytes, contentRange] of [
  ['bytes=2-4', '234', 'bytes 2-4/10'], ['bytes=7-', '789', 'bytes 7-9/10'], ['bytes=-2', '89', 'bytes 8-9/10'],
  ['bytes=0-99', content, 'bytes 0-9/10']
] as const) {
  t.test(`Range: ${range} selects a part of the file`, async (t) => {
    const { app, engine } = await buildApp(t)
    const response = await app.inject({ url: addressOf(engine.put(content)), headers: { range } })
    t.equal(response.statusCode, 206)
    t.equal(response.body, bytes)
    t.match(response.headers, { 'content-range': contentRange, 'content-length': String(bytes.length) })
  })
}

for (const range of ['bytes=0-1,4-5', 'bytes=x', 'lines=1-2', 'bytes=4-2']) {
  t.test(`Range: ${range} is ignored`, async (t) => {
    const { app, engine } = await buildApp(t)
    const response = await app.inject({ url: addressOf(engine.put(content)), headers: { range } })
    t.equal(response.statusCode, 200)
    t.equal(response.body, content)
    t.equal(response.headers['content-range'], undefined)
  })
}

t.test('a range outside the file is 416, with the size of the file', async (t) => {
  const { app, engine } = await buildApp(t)
  const response = await app.inject({ url: addressOf(engine.put(content)), headers: { range: 'bytes=10-' } })
  t.equal(response.statusCode, 416)
  t.equal(response.json().code, 'FST_BACKUP_RANGE_INVALID')
  t.equal(response.headers['content-range'], 'bytes */10')
  t.match(response.headers['content-type'], /^application\/json/)
  t.equal(response.headers['content-disposition'], undefined)
  t.equal(response.headers.etag, undefined)
  t.equal(engine.streams.length, 0)
})

t.test('Range is ignored unless If-Range matches the ETag', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put(content)
  for (const [ifRange, status] of [
    [`"${backup.checksum}"`, 206], [`W/"${backup.checksum}"`, 200], ['"sha256:other"', 200],
    ['Sun, 22 Nov 2026 17:45:00 GMT', 200]
  ] as const) {
    const response = await app.inject({ url: addressOf(backup), headers: { range: 'bytes=0-3', 'if-range': ifRange } })
    t.equal(response.statusCode, status, ifRange)
  }
})

t.test('If-None-Match with the ETag is 304, without a body', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put(content)
  const etag = `"${backup.checksum}"`
  for (const method of ['GET', 'HEAD'] as const) {
    for (const ifNoneMatch of [etag, `"other", ${etag}`, `W/${etag}`, '*']) {
      const response = await app.inject({ method, url: addressOf(backup), headers: { 'if-none-match': ifNoneMatch } })
      t.equal(response.statusCode, 304, `${method} ${ifNoneMatch}`)
      t.equal(response.body, '')
      t.equal(response.headers.etag, etag)
    }
    const response = await app.inject({ method, url: addressOf(backup), headers: { 'if-none-match': '"other"' } })
    t.equal(response.statusCode, 200)
  }
})

t.test('a backup without a file is 409 or 410, for both HEAD and GET', async (t) => {
  const { app, engine } = await buildApp(t)
  for (const [changes, status] of [
    [{ status: 'running' }, 409], [{ status: 'failed' }, 409], [{ available: false }, 410],
    [{ sizeBytes: null }, 410], [{ checksum: null }, 410], [{ status: 'restored' }, 200]
  ] as Array<[Partial<Backup>, number]>) {
    const url = addressOf(engine.put(content, changes))
    for (const method of ['GET', 'HEAD'] as const) {
      const response = await app.inject({ method, url })
      t.equal(response.statusCode, status, `${method} ${JSON.stringify(changes)}`)
    }
  }
})

t.test('a file that is deleted between the two lookups is 410', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put(content)
  engine.fail('download', new FileGone(backup.filename))
  const response = await app.inject(addressOf(backup))
  t.equal(response.statusCode, 410)
  t.equal(response.headers['content-disposition'], undefined)
})

t.test('the error for an unreadable file has no headers of the file', async (t) => {
  const { app, engine } = await buildApp(t)
  engine.openStream = () => new Readable({ read () { this.destroy(new Error('EIO')) } })
  const response = await app.inject({ url: addressOf(engine.put(content)), headers: { range: 'bytes=0-3' } })
  t.equal(response.statusCode, 500)
  t.equal(response.json().statusCode, 500)
  for (const name of [
    'content-disposition', 'content-range', 'etag', 'accept-ranges'
  ]) t.equal(response.headers[name], undefined, name)
})

t.test('the file is closed when an onSend hook of the app throws', async (t) => {
  const { app, engine } = await buildApp(t, {
    before: (app) => app.addHook('onSend', async (request, reply) => {
      if (reply.getHeader('content-disposition') !== undefined) throw new Error('no')
    })
  })
  engine.openStream = endless
  const response = await app.inject(addressOf(engine.put(content)))
  t.equal(response.statusCode, 500)
  t.equal(await closed(engine), true)
})

t.test('the file is closed when the client disconnects', async (t) => {
  const { app, engine } = await buildApp(t)
  engine.openStream = endless
  const backup = engine.put(content, { sizeBytes: 1e9 })
  const client = httpRequest({ ...await listen(app), path: addressOf(backup), agent: false }).end()
  client.on('error', () => {})
  const [response] = await once(client, 'response')
  await once(response, 'data')
  client.destroy()
  t.equal(await closed(engine), true)
})

t.test('the file is closed when the client disconnected before it was opened', async (t) => {
  const { app, engine } = await buildApp(t)
  const { download } = engine
  engine.openStream = endless
  const opened = new Promise<void>((resolve) => {
    engine.download = async (id) => {
      client.destroy()
      await once(app.server, 'client gone')
      resolve()
      return await download(id)
    }
  })
  app.server.on('connection', (socket) => socket.once('close', () => app.server.emit('client gone')))
  const { port, host } = await listen(app)
  const client = connect(port, host)
  client.write(`GET ${addressOf(engine.put(content, { sizeBytes: 1e9 }))} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await opened
  await new Promise(setImmediate)
  t.equal(await closed(engine), true)
})

t.test('the file is closed when a connected client reads nothing for the stall timeout', async (t) => {
  const { app, engine } = await buildApp(t, { stallTimeoutMs: 100 })
  engine.openStream = endless
  const backup = engine.put(content, { sizeBytes: 1e12 })
  const { port, host } = await listen(app)
  const client = connect(port, host)
  client.on('error', () => {})
  t.teardown(() => client.destroy())
  client.write(`GET ${addressOf(backup)} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await once(client, 'readable')
  t.equal(await closed(engine), true)
})

t.test('the download of a truncated file ends with an error, so that the client does not wait', async (t) => {
  const { app, engine } = await buildApp(t)
  const path = addressOf(engine.put(content, { sizeBytes: 11 }))
  const client = httpRequest({ ...await listen(app), path }).end()
  const [response] = await once(client, 'response')
  await t.rejects(text(response), { code: 'ECONNRESET' })
})

t.test('a file that is longer than its log row says is an error', async (t) => {
  const { app, engine } = await buildApp(t)
  const response = await app.inject(addressOf(engine.put(content, { sizeBytes: 9 })))
  t.equal(response.statusCode, 422)
  t.equal(response.json().code, 'FST_BACKUP_SNAPSHOT_INVALID')
})

t.test('the stall timeout counts from the last progress, so a slow download is not stalled', async (t) => {
  const { app, engine } = await buildApp(t, { stallTimeoutMs: 50_000 })
  const timeouts = new Set<number | undefined>()
  const connected = once(app.server, 'connection')
  let left = 8
  engine.openStream = () => new Readable({
    async read () {
      const [socket]: Socket[] = await connected
      timeouts.add(socket?.timeout)
      this.push(left-- > 0 ? 'x' : null)
    }
  })
  const backup = engine.put(content, { sizeBytes: 8 })
  const client = httpRequest({ ...await listen(app), path: addressOf(backup), agent: false }).end()
  const [response] = await once(client, 'response')
  t.equal(await text(response), 'xxxxxxxx')
  t.strictSame([...timeouts], [50_000], 'it is the timeout of the socket, which Node.js restarts after each write')
})

t.test('a client that closes the connection after the last byte has completed its download', async (t) => {
  const messages: string[] = []
  const stream = new Writable({
    write (line, encoding, done) {
      messages.push(JSON.parse(String(line)).msg)
      done()
    }
  })
  const { app, engine } = await buildApp(t, { server: { logger: { level: 'info', stream } } })
  // As a file: its end is known only after a further read
  engine.openStream = (bytes) => {
    const chunks = [bytes, null]
    return new Readable({ read () { setTimeout(() => this.push(chunks.shift() ?? null), chunks.length > 1 ? 0 : 20) } })
  }
  const { port, host } = await listen(app)
  for (const range of ['', 'Range: bytes=2-9\r\n']) {
    messages.length = 0
    const client = connect(port, host)
    client.write(`GET ${addressOf(engine.put(content))} HTTP/1.1\r\nHost: x\r\n${range}\r\n`)
    client.on('data', (bytes) => { if (String(bytes).endsWith('9')) client.destroy() })
    await once(client, 'close')
    await until(() => messages.length === 2)
    t.strictSame(messages, ['incoming request', 'request completed'])
  }
})
