import t from 'tap'
import { findProblems } from '../../lib/snapshot/find-problems.ts'
import { tableOf } from './manifest.ts'
import { chunksOf, readAll, writeFileOf } from './snapshot-file.ts'

const users = tableOf('users', [
  { name: 'id', type: 'bigint' },
  { name: 'name', type: 'text' },
  { name: 'tags', type: 'text[]' },
  { name: 'profile', type: 'jsonb' }
])

t.test('a row of fifty million bytes is read', async (t) => {
  const line = `1\t${'Ada said "hi"\\\\n'.repeat(3_300_000)}\t{}\t1\n`
  const { file, manifest } = await writeFileOf(t, [users], { users: [line, '2\tBob\t{}\t1\n'] })
  const { copied, ...result } = await readAll(chunksOf(file, 65_536))
  t.ok(copied.get('users') === `${line}2\tBob\t{}\t1\n`)
  t.strictSame(findProblems(result, manifest), [])
})

t.test('a last row above the limit for rows on several lines may be cut behind its new line', async (t) => {
  const line = `1\t${'x'.repeat(70_000_000)}\t{}\t1\n`
  const { file, manifest } = await writeFileOf(t, [users], { users: [line] })
  const cut = file.lastIndexOf('\n]') + 1
  async function * source (file: Buffer, cut: number): AsyncGenerator<Buffer> {
    yield file.subarray(0, cut)
    yield file.subarray(cut)
  }
  const { copied, ...result } = await readAll(source(file, cut))
  t.ok(copied.get('users') === line)
  t.strictSame(findProblems(result, manifest), [])
  const start = file.indexOf('"id"')
  const respelled = Buffer.concat([file.subarray(0, start), Buffer.from(' '), file.subarray(start)])
  t.ok((await readAll(source(respelled, cut + 1))).copied.get('users') === line, 'in another formatting')
})
