import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { readState, sameDatabase } from './database-state.ts'

const injection = 'users"; DROP TABLE users CASCADE; --'

interface HostileFile {
  rejects: (
    what: string, change: (text: string) => string | Buffer, error: object,
    details?: { tables?: string[], drift?: object }
  ) => Promise<void>
  restoresOriginal: () => Promise<void>
}

/** Changes a valid file and restores it with `allowModified`, so that only the content can be the cause of an error. */
async function useHostileFile (t: Test): Promise<HostileFile> {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE users (id int PRIMARY KEY, name text, profile jsonb, tags text[]);
    INSERT INTO users VALUES (1, 'Ada', '{"a": 1}', '{x}'), (2, 'Bob', NULL, NULL);
    CREATE TABLE zebras (id int); INSERT INTO zebras SELECT generate_series(1, 5)`)
  const { engine, storagePath } = await useEngineWithFiles(t, { connection: url })
  const { id, filename } = await engine.create()
  const path = join(storagePath, filename)
  const text = await readFile(path, 'utf8')
  await sql`UPDATE users SET name = 'Eve'`
  const before = await readState(sql)
  return {
    async rejects (what, change, error, { tables, drift } = {}) {
      const changed = change(text)
      t.notSame(changed, text, `${what}: the file is changed`)
      await writeFile(path, changed)
      const restoring = engine.restore(id, { allowModified: true, ...tables !== undefined && { tables } })
      const rejection: unknown = await restoring.then(() => undefined, (reason: unknown) => reason)
      t.match(rejection, error, what)
      if (drift !== undefined) t.strictSame(Object(rejection).drift, [drift], what)
      await sameDatabase(t, sql, before)
    },
    async restoresOriginal () {
      await writeFile(path, text)
      t.match(await engine.restore(id), { rowCount: 7 })
    }
  }
}

const invalid = { code: 'FST_BACKUP_SNAPSHOT_INVALID', statusCode: 422 }
const failed = { code: 'FST_BACKUP_RESTORE_FAILED', statusCode: 422 }
const drifted = { code: 'FST_BACKUP_SCHEMA_DRIFT', statusCode: 422 }

t.test('names that contain SQL are only names, which the catalog does not contain', async (t) => {
  const { rejects, restoresOriginal } = await useHostileFile(t)
  const escaped = JSON.stringify(injection).slice(1, -1)
  const renamed = (text: string): string => text.replaceAll('"users"', `"${escaped}"`)
  const notInSchema = 'is in the snapshot, and not in the schema'
  await rejects('a table', renamed, drifted, { drift: { table: injection, problem: notInSchema } })
  const renamedColumn = (text: string): string => text
    .replaceAll('"name":"name"', `"name":"${escaped}"`)
    .replaceAll('"name":"Ada"', `"${escaped}":"Ada"`)
    .replaceAll('"name":"Bob"', `"${escaped}":"Bob"`)
  await rejects('a column', renamedColumn, drifted, {
    drift: { table: 'users', column: injection, problem: 'is in the snapshot, and not in the table' }
  })
  const renamedRows = (text: string): string => text.replace('"zebras":[', '"giraffes":[')
  await rejects('a table that the manifest does not name', renamedRows, { ...invalid, message: /giraffes/ })
  await rejects('a type', (text) => text.replace('"type":"text"', '"type":"text; DROP TABLE users"'), drifted, {
    drift: { table: 'users', column: 'name', problem: 'was text; DROP TABLE users, and is text' }
  })
  const excluded = { code: 'FST_BACKUP_ARGUMENT_INVALID', message: /is excluded/ }
  await rejects('the log table', (text) => text.replaceAll('"zebras"', '"backup_logs"'), excluded, {
    tables: ['backup_logs']
  })
  await rejects('a system catalog', (text) => text.replaceAll('"zebras"', '"pg_authid"'), drifted, {
    drift: { table: 'pg_authid', problem: notInSchema }
  })
  await rejects('a sequence', (text) => text.replace('"sequences":[]', '"sequences":5'), invalid)
  await restoresOriginal()
})

t.test('values that do not have the type of their column fail the restore', async (t) => {
  const { rejects, restoresOriginal } = await useHostileFile(t)
  const ada = '"name":"Ada"'
  await rejects('a string for a number', (text) => text.replace('{"id":1,', '{"id":"one",'), invalid)
  await rejects('an object for a text', (text) => text.replace(ada, '"name":{"a":1}'), invalid)
  await rejects('an array for a text', (text) => text.replace(ada, '"name":["a"]'), invalid)
  const inRow1 = { ...invalid, message: /users.*row 1/ }
  await rejects('a duplicate key', (text) => text.replace(ada, `${ada},${ada}`), inRow1)
  await rejects('an unknown key', (text) => text.replace(ada, `${ada},"nickname":"A"`), inRow1)
  await rejects('a missing key', (text) => text.replace(`${ada},`, ''), { ...invalid, message: /users.*row 1/ })
  await rejects('NUL', (text) => text.replace(ada, '"name":"\\u0000"'), invalid)
  await rejects('a raw control character', (text) => text.replace(ada, '"name":"a\tb"'), invalid)
  await rejects('a lone surrogate', (text) => text.replace(ada, '"name":"\\ud800"'), invalid)
  await rejects('bytes that are not UTF-8', (text) => {
    const [before = '', after = ''] = text.split('Ada')
    return Buffer.concat([Buffer.from(before), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from(after)])
  }, failed)
  const endOfCopy = '"name":"x\\n\\\\.\\n3\\tMallory\\t\\\\N\\t\\\\N"'
  await rejects('an end of COPY within a value', (text) =>
    text.replace(ada, endOfCopy).replace('{"id":1,', '{"id":2147483648,'), failed)
  await rejects('deep nesting', (text) =>
    text.replace('{"a": 1}', '['.repeat(200_000) + ']'.repeat(200_000)), failed)
  await rejects('a bracket that is never closed', (text) => text.replace('{"a": 1}', '['.repeat(200_000)), invalid)
  await rejects('a number of a million digits', (text) =>
    text.replace('{"id":1,', `{"id":${'9'.repeat(1_000_000)},`), failed)
  await rejects('a bad row in the last table', (text) => {
    return text.replace(/{"id":5}\n]\n}}/, '{"id":5},\n{"id":6.5}\n]\n}}')
  }, failed)
  await rejects('trailing bytes', (text) => `${text}\n{}`, invalid)
  await restoresOriginal()
})

t.test('a manifest with wrong content fails the restore', async (t) => {
  const { rejects, restoresOriginal } = await useHostileFile(t)
  const ofVersion = { ...invalid, message: /version/ }
  await rejects('another version', (text) => text.replace('"version":1', '"version":9'), ofVersion)
  await rejects('no id', (text) => text.replace('"id":', '"di":'), invalid)
  await rejects('the same table twice', (text) => text.replace(/("tables":\[)({.*?\]})/, '$1$2,$2'), invalid)
  await rejects('__proto__', (text) => text.replace('"version":1', '"__proto__":{"id":"x"},"version":1'), invalid)
  const sequence = { name: 's', ownedBy: 'users.id', lastValue: '1); DROP TABLE users; --', isCalled: true }
  await rejects('a sequence whose value is not a number', (text) =>
    text.replace('"sequences":[]', `"sequences":${JSON.stringify([sequence])}`), invalid)
  await restoresOriginal()
})
