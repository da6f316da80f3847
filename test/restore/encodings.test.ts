import t from 'tap'
import { useDatabase } from '../support/database.ts'
import { damageEverything, readState, sameDatabase } from './database-state.ts'
import { dataPart, useEngine } from './use-engine.ts'

for (const [encoding, text] of [['LATIN1', 'Grüße, señor ÿ'], ['EUC_JP', '日本語のテキスト ｶﾅ'], ['UTF8', 'Grüße 日本語 🦤']] as const) {
  t.test(`a database in ${encoding} comes out as UTF-8, and goes back`, async (t) => {
    const { url, sql } = await useDatabase(t, { encoding })
    await sql.unsafe(`CREATE TABLE "${text}" (id int PRIMARY KEY, "${text}" text, list text[], document jsonb, fixed char(20))`)
    await sql.unsafe(`INSERT INTO "${text}" VALUES (1, $1, ARRAY[$1, NULL], jsonb_build_object($1::text, $1::text), $1), (2, '', '{}', 'null', NULL)`, [text])
    const { engine, read } = await useEngine(t, { connection: url })
    const first = await engine.create()
    const before = await readState(sql)
    t.match(JSON.parse(dataPart(read(first)).slice(0, -2))[text], [{ id: 1, [text]: text, list: [text, null], document: { [text]: text } }, { id: 2, [text]: '' }])
    await damageEverything(sql)
    await engine.restore(first.id)
    await sameDatabase(t, sql, before)
    t.equal(dataPart(read(await engine.create())), dataPart(read(first)))
  })
}

t.test('text that the database\'s encoding lacks is refused, and nothing is changed', async (t) => {
  const { url, sql } = await useDatabase(t, { encoding: 'LATIN1' })
  const source = await useDatabase(t)
  for (const target of [source.sql, sql]) await target`CREATE TABLE words (word text)`
  await source.sql`INSERT INTO words VALUES ('日本語')`
  await sql`INSERT INTO words VALUES ('Gruß')`
  const { engine: from, storagePath } = await useEngine(t, { connection: source.url })
  const { id } = await from.create()
  const { engine: to } = await useEngine(t, { connection: url, storagePath })
  await to.list()
  for (const row of await source.sql`SELECT * FROM backup_logs`) await sql`INSERT INTO backup_logs ${sql(row)}`
  const before = await readState(sql)
  await t.rejects(to.restore(id), { code: 'FST_BACKUP_RESTORE_FAILED', message: /SQLSTATE 22P05/ })
  await sameDatabase(t, sql, before)
})
