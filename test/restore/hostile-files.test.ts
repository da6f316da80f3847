import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { readState, sameDatabase } from './database-state.ts'

const injection = 'users"; DROP TABLE users CASCADE; --'

/**
 * Changes a good file, and has it restored with `allowModified`, so that nothing but the content can be what is
 * refused.
 */
async function useHostileFile (t: Test): Promise<{ refuses: (what: string, change: (text: string) => string | Buffer, error: object, options?: object) => Promise<void>, good: () => Promise<void> }> {
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
    async refuses (what, change, error, options = {}) {
      const changed = change(text)
      t.notSame(changed, text, `${what}: the file is another`)
      await writeFile(path, changed)
      const refusal = await engine.restore(id, { allowModified: true, ...options }).catch((error: unknown) => error)
      t.match(refusal, error, what)
      await sameDatabase(t, sql, before)
    },
    async good () {
      await writeFile(path, text)
      t.match(await engine.restore(id), { rowCount: 7 })
    }
  }
}

const invalid = { code: 'FST_BACKUP_SNAPSHOT_INVALID', statusCode: 422 }
const failed = { code: 'FST_BACKUP_RESTORE_FAILED', statusCode: 422 }
const drift = (entry: object): object => ({ code: 'FST_BACKUP_SCHEMA_DRIFT', drift: [entry] })

t.test('names that would be SQL are names, and not in the catalog', async (t) => {
  const { refuses, good } = await useHostileFile(t)
  const escaped = JSON.stringify(injection).slice(1, -1)
  const renamed = (text: string): string => text.replaceAll('"users"', `"${escaped}"`)
  await refuses('a table', renamed, drift({ table: injection, problem: /not in the schema/ }))
  await refuses('a column', (text) => text.replaceAll('"name":', '\u0000').replace('{"name\u0000', '{"name":').replaceAll('\u0000', '"name":').replaceAll('"name":"name"', `"name":"${escaped}"`).replaceAll('"name":"Ada"', `"${escaped}":"Ada"`).replaceAll('"name":"Bob"', `"${escaped}":"Bob"`),
    drift({ table: 'users', column: injection, problem: /not in the table/ }))
  await refuses('a table that the manifest does not name', (text) => text.replace('"zebras":[', '"giraffes":['), { ...invalid, message: /giraffes/ })
  await refuses('a type', (text) => text.replace('"type":"text"', '"type":"text; DROP TABLE users"'), drift({ table: 'users', column: 'name', problem: 'was text; DROP TABLE users, and is text' }))
  await refuses('the log table', (text) => text.replaceAll('"zebras"', '"backup_logs"'), { code: /FST_BACKUP_/ }, { tables: ['backup_logs'] })
  await refuses('a system catalog', (text) => text.replaceAll('"zebras"', '"pg_authid"'), drift({ table: 'pg_authid', problem: /not in the schema/ }))
  await refuses('a sequence', (text) => text.replace('"sequences":[]', '"sequences":5'), invalid)
  await good()
})

t.test('values that are none of their column\'s', async (t) => {
  const { refuses, good } = await useHostileFile(t)
  const ada = '"name":"Ada"'
  await refuses('a string for a number', (text) => text.replace('{"id":1,', '{"id":"one",'), { message: /users.*row 1|SQLSTATE 22P02/ })
  await refuses('an object for a text', (text) => text.replace(ada, '"name":{"a":1}'), invalid)
  await refuses('an array for a text', (text) => text.replace(ada, '"name":["a"]'), invalid)
  await refuses('a duplicate key', (text) => text.replace(ada, `${ada},${ada}`), { ...invalid, message: /users.*row 1/ })
  await refuses('an unknown key', (text) => text.replace(ada, `${ada},"nickname":"A"`), { ...invalid, message: /users.*row 1/ })
  await refuses('a missing key', (text) => text.replace(`${ada},`, ''), { ...invalid, message: /users.*row 1/ })
  await refuses('NUL', (text) => text.replace(ada, '"name":"\\u0000"'), { statusCode: 422 })
  await refuses('a raw control character', (text) => text.replace(ada, '"name":"a\tb"'), invalid)
  await refuses('a lone surrogate', (text) => text.replace(ada, '"name":"\\ud800"'), invalid)
  await refuses('no UTF-8', (text) => Buffer.concat([Buffer.from(text.slice(0, text.indexOf('Ada'))), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from(text.slice(text.indexOf('Ada') + 3))]), { statusCode: 422 })
  await refuses('an end of COPY in the middle', (text) => text.replace(ada, '"name":"x\\n\\\\.\\n3\\tMallory\\t\\\\N\\t\\\\N"').replace('{"id":1,', '{"id":2147483648,'), failed)
  await refuses('nesting without end', (text) => text.replace('{"a": 1}', '['.repeat(200_000) + ']'.repeat(200_000)), { statusCode: 422 })
  await refuses('a bracket that is never closed', (text) => text.replace('{"a": 1}', '['.repeat(200_000)), invalid)
  await refuses('a number of a million digits', (text) => text.replace('{"id":1,', `{"id":${'9'.repeat(1_000_000)},`), failed)
  await refuses('a bad row in the last table', (text) => text.replace(/{"id":5}\n]\n}}/, '{"id":5},\n{"id":6.5}\n]\n}}'), failed)
  await refuses('trailing bytes', (text) => `${text}\n{}`, invalid)
  await good()
})

t.test('a manifest that lies', async (t) => {
  const { refuses, good } = await useHostileFile(t)
  await refuses('another version', (text) => text.replace('"version":1', '"version":9'), { ...invalid, message: /version/ })
  await refuses('no id', (text) => text.replace('"id":', '"di":'), invalid)
  await refuses('the same table twice', (text) => text.replace(/("tables":\[)({.*?\]})/, '$1$2,$2'), invalid)
  await refuses('__proto__', (text) => text.replace('"version":1', '"__proto__":{"id":"x"},"version":1'), { statusCode: 422 })
  await refuses('a sequence that is no number', (text) => text.replace('"sequences":[]', '"sequences":[{"name":"s","ownedBy":"users.id","lastValue":"1); DROP TABLE users; --","isCalled":true}]'), invalid)
  await good()
})
