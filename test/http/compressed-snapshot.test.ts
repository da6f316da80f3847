import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import { backupRoutes } from '../../lib/http/backup-routes.ts'
import type { CompletedBackup } from '../../types/index.ts'
import type { TestScope } from '../support/database.ts'
import { type Place, resolved, type TestEngine, useEngine, usePlace } from '../support/engine.ts'
import { until } from '../support/until.ts'

interface Served {
  app: FastifyInstance
  place: Place
  engine: TestEngine
  backup: CompletedBackup
  /** Of the download. */
  url: string
  /** The file as it is stored, and its JSON. */
  stored: Buffer
  json: Buffer
  /** Requests the download: `as` is the query, such as `?as=json`. */
  get: (as?: string, headers?: Record<string, string>, method?: string) => Promise<Response>
}

const unzip = (input: Buffer, program = 'gunzip'): Buffer =>
  execFileSync(program, ['-c'], { input, maxBuffer: 100_000_000 })

const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer())

/** A service with a compressed snapshot, which has several frames of rows. */
async function serve (t: TestScope, stallTimeoutMs?: number): Promise<Served> {
  const place = await usePlace(t)
  await place.sql`
    INSERT INTO users (name)
    SELECT (SELECT string_agg(md5(n || '-' || m), '') FROM generate_series(1, 100) m) FROM generate_series(1, 5000) n`
  const engine = useEngine(t, place, { compression: 'gzip' })
  const backup = await engine.create()
  const app = Fastify()
  t.after(async () => { await app.close() })
  const options = resolved({ basePath: '/backup', restoreAuth: [async () => {}], allowRestore: true })
  await app.register(backupRoutes, {
    prefix: '/backup', engine, options, ...stallTimeoutMs !== undefined && { stallTimeoutMs }
  })
  const url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/backup/${backup.id}/download`
  const stored = await readFile(join(place.directory, backup.filename))
  return {
    app,
    place,
    engine,
    backup,
    url,
    stored,
    json: unzip(stored),
    get: async (as = '', headers = {}, method = 'GET') => await fetch(url + as, { method, headers })
  }
}

const headersOf = ({ headers }: Response): Record<string, string | null> => Object.fromEntries([
  'content-type', 'content-disposition', 'content-encoding', 'content-length', 'etag', 'accept-ranges'
].map((name) => [name, headers.get(name)]))

/** Files of the directory that this process has opened. */
const openFiles = ({ directory }: Place): string[] => readdirSync('/proc/self/fd').flatMap((fd) => {
  try {
    return [readlinkSync(`/proc/self/fd/${fd}`)]
  } catch {
    return []
  }
}).filter((path) => path.startsWith(directory))

t.test('a compressed snapshot is downloaded as it is stored, or as JSON', async (t) => {
  const { backup, stored, json, get } = await serve(t)
  const { filename, sizeBytes, storedBytes, checksum } = backup
  t.match(filename, /\.json\.gz$/)
  t.strictSame([storedBytes, sizeBytes], [stored.length, json.length])
  t.ok(stored.length < json.length)

  const file = await get()
  t.equal(file.status, 200)
  t.strictSame(headersOf(file), {
    'content-type': 'application/gzip',
    'content-disposition': `attachment; filename="${filename}"`,
    'content-encoding': null,
    'content-length': String(stored.length),
    etag: `"${checksum};gzip"`,
    'accept-ranges': 'bytes'
  })
  const bytes = await bytesOf(file)
  t.ok(bytes.equals(stored))
  t.ok(unzip(bytes, 'zcat').equals(json))

  const plain = await get('?as=json')
  t.equal(plain.status, 200)
  t.strictSame(headersOf(plain), {
    'content-type': 'application/json',
    'content-disposition': `attachment; filename="${filename.replace(/\.gz$/, '')}"`,
    'content-encoding': null,
    'content-length': String(json.length),
    etag: `"${checksum}"`,
    'accept-ranges': 'bytes'
  })
  t.ok((await bytesOf(plain)).equals(json))

  for (const [as, expected] of [['', file], ['?as=json', plain]] as const) {
    const head = await get(as, {}, 'HEAD')
    t.equal(head.status, 200)
    t.strictSame(headersOf(head), headersOf(expected))
  }
  for (const as of ['?as=gzip', '?as=', '?as=json&as=json', '?format=json']) t.equal((await get(as)).status, 400, as)
})

t.test('a range is one of what is downloaded', async (t) => {
  const { app, backup: { checksum }, url, stored, json, get } = await serve(t)
  for (const [as, whole, etag] of [['', stored, `"${checksum};gzip"`], ['?as=json', json, `"${checksum}"`]] as const) {
    const size = whole.length
    // Frames have 4 to 8 MB of JSON
    for (const [start, end] of [
      [0, 0], [0, 4095], [100, 6_000_000], [3_900_000, 4_200_000], [7_000_000, size - 2], [size - 1, size - 1],
      [0, size - 1]
    ] as const) {
      const part = await get(as, { range: `bytes=${start}-${end}`, 'if-range': etag })
      t.equal(part.status, 206, `${as} ${start}-${end}`)
      t.equal(part.headers.get('content-range'), `bytes ${start}-${end}/${size}`)
      t.ok((await bytesOf(part)).equals(whole.subarray(start, end + 1)), `${as} ${start}-${end}`)
    }
    const outside = await get(as, { range: `bytes=${size}-` })
    t.equal(outside.status, 416)
    t.equal(outside.headers.get('content-range'), `bytes */${size}`)
    const other = as === '' ? `"${checksum}"` : `"${checksum};gzip"`
    // Not fetch(), which sends `cache-control: no-cache` with a condition
    const statusIf = async (method: 'GET' | 'HEAD', tag: string): Promise<number> =>
      (await app.inject({ method, url: url + as, headers: { 'if-none-match': tag } })).statusCode
    t.equal(await statusIf('GET', etag), 304)
    t.equal(await statusIf('HEAD', etag), 304)
    t.equal(await statusIf('HEAD', other), 200, 'the tag of the other representation')
    const full = await get(as, { range: 'bytes=0-0', 'if-range': other })
    t.equal(full.status, 200)
    t.equal((await bytesOf(full)).length, size)
  }
})

t.test('a compressed file that is damaged or missing is an error, and no file stays open', async (t) => {
  const { place, backup, stored, json, get } = await serve(t)
  const path = join(place.directory, backup.filename)
  const damaged = Buffer.from(stored)
  const middle = Math.floor(stored.length / 2)
  damaged.writeUInt8(damaged.readUInt8(middle) ^ 1, middle)
  await writeFile(path, damaged)
  // As every stored file, it is sent as it is; its checksums show the damage
  const sent = await bytesOf(await get())
  t.ok(sent.equals(damaged))
  t.throws(() => unzip(sent))
  // The status was sent before the damage was found: the connection ends early
  await t.rejects((await get('?as=json')).arrayBuffer())
  const intact = await get('?as=json', { range: 'bytes=0-4095' })
  t.ok((await bytesOf(intact)).equals(json.subarray(0, 4096)), 'frames before the damage can be read')
  await until(() => openFiles(place).length === 0)

  await rm(path)
  for (const as of ['', '?as=json']) {
    for (const method of ['GET', 'HEAD']) t.equal((await get(as, {}, method)).status, 410, `${method} ${as}`)
  }
})

t.test('a client that disconnects leaves no file open, and the backup can be removed', async (t) => {
  const { place, engine, backup, url } = await serve(t)
  for (const [as, range] of [['', {}], ['?as=json', {}], ['?as=json', { range: 'bytes=5000000-' }]] as const) {
    const client = httpRequest(url + as, { agent: false, headers: range }).end()
    client.on('error', () => {})
    const [response] = await once(client, 'response')
    await once(response, 'data')
    t.strictSame(openFiles(place), [join(place.directory, backup.filename)], 'it is being read')
    client.destroy()
    await until(() => openFiles(place).length === 0)
  }
  await engine.remove(backup.id)
})

t.test('a client that reads nothing leaves no file open', async (t) => {
  const { place, engine, backup, url } = await serve(t, 100)
  const { port, hostname, pathname } = new URL(url)
  const client = connect(Number(port), hostname)
  client.on('error', () => {})
  t.after(() => { client.destroy() })
  client.write(`GET ${pathname}?as=json HTTP/1.1\r\nHost: x\r\n\r\n`)
  await once(client, 'readable')
  await until(() => openFiles(place).length === 0)
  await engine.remove(backup.id)
})

t.test('a downloaded file is imported as it arrived, whatever the headers say about it', async (t) => {
  const { place, stored, json, url } = await serve(t)
  for (const [body, headers] of [
    [stored, { 'content-type': 'application/gzip' }],
    [stored, { 'content-type': 'application/x-gzip' }],
    [stored, { 'content-type': 'application/octet-stream' }],
    [stored, { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
    [stored, { 'content-type': 'application/gzip', 'content-encoding': 'x-gzip' }],
    [json, { 'content-type': 'application/zstd' }]
  ] as const) {
    const response = await fetch(new URL('/backup/import', url), {
      method: 'POST', body: new Uint8Array(body), headers
    })
    const backup = await response.json() as CompletedBackup
    t.equal(response.status, 201, JSON.stringify(backup))
    t.match(backup, {
      compression: body === json ? 'none' : 'gzip', sizeBytes: json.length, storedBytes: body.length
    })
    t.ok(readFileSync(join(place.directory, backup.filename)).equals(body))
  }
})
