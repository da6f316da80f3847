import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createPool } from '../../lib/postgres/driver/connection.ts'
import { createTextCheck, containsLossyText } from '../../lib/postgres/catalog/encodings.ts'
import { inTransaction } from '../../lib/postgres/driver/transaction.ts'
import { copyLog } from '../support/copy-log.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { dataPart, useEngineWithFiles } from '../support/engine.ts'
import { damageEverything, readState, sameDatabase } from './database-state.ts'
import { rejectionOf } from './rejection.ts'

const texts = { LATIN1: 'Grüße, señor ÿ', EUC_JP: '日本語のテキスト ｶﾅ', UTF8: 'Grüße 日本語 🦤' }

for (const [encoding, text] of Object.entries(texts)) {
  t.test(`a snapshot of a database in ${encoding} is UTF-8, and is restored in ${encoding}`, async (t) => {
    const { url, sql } = await useDatabase(t, { encoding })
    await sql.unsafe(`CREATE TABLE "${text}" (id int PRIMARY KEY, "${text}" text, list text[], document jsonb,
      fixed char(20))`)
    await sql.unsafe(`INSERT INTO "${text}" VALUES (1, $1, ARRAY[$1, NULL], jsonb_build_object($1::text, $1::text), $1),
      (2, '', '{}', 'null', NULL)`, [text])
    const { engine, read } = await useEngineWithFiles(t, { connection: url })
    const first = await engine.create()
    const before = await readState(sql)
    const fixed = text + ' '.repeat(20 - [...text].length)
    t.strictSame(JSON.parse(dataPart(read(first)).slice(0, -2)), {
      [text]: [
        { id: 1, [text]: text, list: [text, null], document: { [text]: text }, fixed },
        { id: 2, [text]: '', list: [], document: null, fixed: null }
      ]
    })
    await damageEverything(sql)
    await engine.restore(first.id)
    await sameDatabase(t, sql, before)
    t.equal(dataPart(read(await engine.create())), dataPart(read(first)))
  })
}

t.test('a restore of text that the encoding of the database lacks fails, and changes nothing', async (t) => {
  const { url, sql } = await useDatabase(t, { encoding: 'LATIN1' })
  const source = await useDatabase(t)
  for (const target of [source.sql, sql]) await target`CREATE TABLE words (word text)`
  await source.sql`INSERT INTO words VALUES ('日本語')`
  await sql`INSERT INTO words VALUES ('Gruß')`
  const { engine: from, storagePath } = await useEngineWithFiles(t, { connection: source.url })
  const { id } = await from.create()
  const { engine: to } = await useEngineWithFiles(t, { connection: url, storagePath })
  await to.list()
  await copyLog(source.sql, sql)
  const before = await readState(sql)
  await t.rejects(to.restore(id), { code: 'FST_BACKUP_RESTORE_FAILED', message: /SQLSTATE 22P05/ })
  await sameDatabase(t, sql, before)
})

t.test('a restore of the only character that EUC_JP stores as another one fails, and names its table', async (t) => {
  const { url, sql } = await useDatabase(t, { encoding: 'EUC_JP' })
  const source = await useDatabase(t)
  for (const target of [source.sql, sql]) await target`CREATE TABLE words (id int, word text)`
  await source.sql`INSERT INTO words VALUES (1, 'a ¦ b')`
  const { engine: from, storagePath } = await useEngineWithFiles(t, { connection: source.url })
  const { filename } = await from.create()
  const { engine: to } = await useEngineWithFiles(t, { connection: url })
  const { id } = await to.import(createReadStream(join(storagePath, filename)))
  const message = /table words would contain text that the conversion to UTF-8 and back changes \(.* EUC_JP\)$/
  await t.rejects(to.restore(id), { code: 'FST_BACKUP_RESTORE_FAILED', message })
  t.equal((await sql`SELECT FROM words`).length, 0)
})

t.test('such text is found whatever the pieces in which it arrives', async (t) => {
  const found = (...pieces: string[]): boolean | undefined => {
    const isChanged = createTextCheck('EUC_JP')
    return isChanged && pieces.map((piece) => isChanged(Buffer.from(piece, 'latin1'))).includes(true)
  }
  t.equal(found('a\xc2\xa6b'), true)
  t.equal(found('a\xc2', '\xa6b'), true)
  t.equal(found('a\xc2', '\xa7', '\xa6'), false)
  t.equal(createTextCheck('UTF8'), undefined)
})

t.test('an error that is unrelated to the text is passed on', async (t) => {
  const { url } = await useDatabase(t)
  const pool = createPool(url)
  t.after(async () => { await pool.end() })
  const roleSettings = {
    search_path: 'public',
    timezone: 'UTC',
    datestyle: 'ISO',
    intervalstyle: 'postgres',
    extra_float_digits: '1',
    bytea_output: 'hex',
    row_security: 'on'
  }
  const [relation, table] = [{ schema: testSchema, name: 'missing' }, { columns: [{ name: 'word', baseType: 25 }] }]
  await t.rejects(inTransaction(pool, 'ISOLATION LEVEL READ COMMITTED READ ONLY', async (tx) =>
    await containsLossyText(tx, relation, table, { encoding: 'EUC_JP', roleSettings })), { code: '42P01' })
})

/** Text that the server's conversion to UTF-8 and back changes; in EUC_JIS_2004, two characters become one. */
const changing = { EUC_JP: 'adf0', EUC_TW: '8ea1a1a1', EUC_JIS_2004: 'abe4abe0' }

for (const [encoding, bytes] of Object.entries(changing)) {
  const text = `convert_from('\\x${bytes}', '${encoding}')`
  const unfaithful = 'text that the conversion to UTF-8 and back changes ' +
    `(the database's encoding is ${encoding})`
  async function rejectsSnapshot (t: Test, call: Promise<unknown>, message?: string): Promise<void> {
    const rejection = await rejectionOf(t, call, 'FST_BACKUP_CANNOT_SNAPSHOT', message)
    t.ok(rejection.message.endsWith(`: table words contains ${unfaithful}`), rejection.message)
  }

  t.test(`a snapshot fails, and names the table, if the conversion to UTF-8 changes ${encoding} text`, async (t) => {
    const { url, sql } = await useDatabase(t, { encoding })
    await sql.unsafe(`CREATE DOMAIN word AS text; CREATE TYPE pair AS (id int, word text);
      CREATE TABLE calm (id int, word text); INSERT INTO calm VALUES (1, 'plain')`)
    const { engine } = await useEngineWithFiles(t, { connection: url })
    for (const [type, value] of [
      ['text', text],
      ['text[]', `ARRAY['a', ${text}]`],
      ['jsonb', `jsonb_build_object(${text}, 1)`],
      ['json', `json_build_array(${text})`],
      ['xml', `${text}::xml`],
      ['pair', `ROW(1, ${text})::pair`],
      ['name', `${text}::name`],
      ['word', text],
      ['char(20)', text]
    ] as const) {
      await sql.unsafe(`CREATE TABLE words (id int, s ${type}); INSERT INTO words VALUES (1, ${value})`)
      await rejectsSnapshot(t, engine.create(), type)
      await sql`DROP TABLE words`
    }
    await sql.unsafe(`CREATE TABLE words (s text) PARTITION BY LIST (s);
      CREATE TABLE words_1 PARTITION OF words DEFAULT; INSERT INTO words VALUES (${text})`)
    await rejectsSnapshot(t, engine.create(), 'of a partition')
    await sql`TRUNCATE words`
    t.match(await engine.create(), { rowCount: 1 })
  })

  t.test(`a restore in ${encoding} fails if it would replace such text, or if a name contains it`, async (t) => {
    const { url, sql } = await useDatabase(t, { encoding })
    await sql.unsafe(`CREATE TABLE words (s text CONSTRAINT short CHECK (s <> 'long')); CREATE TABLE calm (id int);
      INSERT INTO words VALUES ('plain')`)
    const { engine } = await useEngineWithFiles(t, { connection: url })
    const { id } = await engine.create()
    await sql.unsafe(`UPDATE words SET s = ${text}`)
    const before = await readState(sql)
    await rejectsSnapshot(t, engine.restore(id))
    await sameDatabase(t, sql, before)
    await sql`UPDATE words SET s = 'plain'`
    for (const [on, statement, undo] of [
      ['words', "ALTER TABLE words ADD CONSTRAINT long CHECK (s <> ''%s'')", 'ALTER TABLE words DROP CONSTRAINT long'],
      ['words', 'ALTER TABLE words ADD COLUMN %I int', 'ALTER TABLE words DROP COLUMN %I'],
      ['.+', 'CREATE SEQUENCE %I', 'DROP SEQUENCE %I']
    ] as const) {
      const run = async (format: string): Promise<void> => {
        await sql.unsafe(`DO $do$ BEGIN EXECUTE format('${format}', ${text}); END $do$`)
      }
      await run(statement)
      for (const [call, code] of [
        [engine.create, 'FST_BACKUP_CANNOT_SNAPSHOT'],
        [async () => await engine.restore(id), 'FST_BACKUP_CANNOT_RESTORE']
      ] as const) {
        const { problems } = await rejectionOf(t, call(), code, statement)
        t.equal(problems.length, 1)
        const [problem = ''] = problems
        t.match(problem, new RegExp(`^a name or a constraint of ${on} has text that the conversion to UTF-8`))
        t.ok(problem.endsWith(unfaithful), problem)
      }
      await run(undo)
    }
    await sql.unsafe(`DO $do$ BEGIN EXECUTE format('CREATE TABLE %I ()', ${text}); END $do$`)
    await t.rejects(engine.create(), { code: 'FST_BACKUP_CANNOT_SNAPSHOT', message: /a name or a constraint of/ })
    t.match(await engine.restore(id), { rowCount: 1 })
  })
}

t.test('a restore of text that EUC_TW accepts and returns as other text fails', async (t) => {
  const { url, sql } = await useDatabase(t, { encoding: 'EUC_TW' })
  const source = await useDatabase(t)
  for (const target of [source.sql, sql]) await target`CREATE TABLE words (word text)`
  await source.sql`INSERT INTO words VALUES ('丄')`
  await sql`INSERT INTO words VALUES ('上')`
  const { engine: from, storagePath } = await useEngineWithFiles(t, { connection: source.url })
  const { id } = await from.create()
  const { engine: to } = await useEngineWithFiles(t, { connection: url, storagePath })
  await to.list()
  await copyLog(source.sql, sql)
  const before = await readState(sql)
  const { message } = await rejectionOf(t, to.restore(id), 'FST_BACKUP_RESTORE_FAILED')
  t.match(message, /table words would contain text that the conversion to UTF-8 and back changes/)
  await sameDatabase(t, sql, before)
})
