import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import type { Progress } from '../../types/index.ts'
import { useEngine, usePlace } from '../support/engine.ts'
import { inChunks } from '../pipeline/chunks.ts'

t.test('the progress of a compressed import counts the bytes that have arrived', async (t) => {
  const place = await usePlace(t)
  await place.sql`
    INSERT INTO users (name) SELECT repeat(md5(n::text), 100) FROM generate_series(1, 5000) n`
  const engine = useEngine(t, place, { compression: 'gzip' })
  const { filename } = await engine.create()
  const bytes = await readFile(join(place.directory, filename))
  const reports: Progress[] = []
  await engine.import(Readable.from(inChunks(bytes, 10_000)), {
    sizeBytes: bytes.length, onProgress: (progress) => { reports.push(progress) }
  })
  t.ok(reports.every((report) => report.bytesTotal === bytes.length && report.bytes <= bytes.length))
  t.ok(reports.some(({ percent }) => percent !== null && percent > 0 && percent < 99), 'it grows')
  t.equal(reports.at(-1)?.percent, 100)
})

const megabyte = 1024 * 1024

t.test('a small file that expands to many gigabytes is refused early', async (t) => {
  const place = await usePlace(t)
  const limits = { rowBytes: 8 * megabyte, manifestBytes: 2 * megabyte }
  const text = await (async () => {
    const engine = useEngine(t, place)
    const { id, filename } = await engine.create()
    const content = await readFile(join(place.directory, filename), 'utf8')
    await engine.remove(id)
    return content
  })()
  const rowEnd = text.indexOf('\n', text.indexOf('"users":[')) + 10
  const untilRow = text.slice(0, text.indexOf('\n', rowEnd) + 1)
  const untilName = text.slice(0, text.indexOf('"name":"', rowEnd) + 8)
  const untilTable = text.slice(0, text.indexOf('],') + 1)
  const untilData = text.slice(0, text.indexOf('"data"'))
  for (const worker of [false, true]) {
    const engine = useEngine(t, place, { limits, worker })
    for (const [where, start, filler] of [
      ['before the head', '', ' '], ['in the head', '{"manifest":{', ' '], ['before the data', untilData, ' '],
      ['between rows', untilRow, '\n'], ['in a row', untilName, 'x'], ['between tables', untilTable, ' '],
      ['after the end', text, ' ']
    ] as const) {
      let expanded = 0
      const member = gzipSync(filler.repeat(megabyte))
      async function * bomb (): AsyncGenerator<Buffer> {
        yield gzipSync(start)
        for (; expanded < 10_000; expanded++) yield member
      }
      const refused = { code: 'FST_BACKUP_LIMIT_EXCEEDED', statusCode: 413 }
      await t.rejects(engine.import(Readable.from(bomb())), refused, `${where}, worker ${worker}`)
      // Some members are buffered before they are decompressed
      t.ok(expanded < 300, `${where}: ${expanded} MB`)
    }
  }
  t.strictSame((await readdir(place.directory)).filter((name) => name.includes('.json')), [], 'nothing is kept')
})
