import postgres from 'postgres'
import t from 'tap'
import { copyLog } from '../support/copy-log.ts'
import { testSchema, useDatabase } from '../support/database.ts'
import { dataPart, useEngineWithFiles } from '../support/engine.ts'
import { startPostgres } from '../support/embedded-postgres.js'
import { damageEverything, readState } from './database-state.ts'
import { createTortureSchema, excludedTables, keptRelations } from './torture-schema.ts'

t.test('a snapshot from the oldest or newest supported PostgreSQL version is restored on the other', async (t) => {
  const { sql, url } = await useDatabase(t)
  const [server] = await sql`SELECT current_setting('server_version_num')::int / 10000 AS version`
  const version = server?.version >= 18 ? 15 : 18
  const other = await startPostgres({ version })
  const otherSql = postgres(other.url, { connection: { search_path: testSchema }, onnotice () {} })
  t.teardown(async () => {
    await otherSql.end({ timeout: 1 })
    await other.stop()
  })
  if (testSchema !== 'public') await otherSql`ALTER SCHEMA public RENAME TO ${otherSql(testSchema)}`
  for (const each of [sql, otherSql]) await createTortureSchema(each, testSchema, 15)
  const { engine, read, storagePath } = await useEngineWithFiles(t, { connection: url, excludeTables: excludedTables })
  const otherOptions = { connection: other.url, excludeTables: excludedTables, storagePath }
  const { engine: otherEngine, read: readOther } = await useEngineWithFiles(t, otherOptions)
  const first = await engine.create()
  const { rows, sequences } = await readState(sql)

  await damageEverything(otherSql, keptRelations)
  t.same((await otherEngine.list()).backups, [])
  await copyLog(sql, otherSql)
  const { rowCount, drift } = await otherEngine.restore(first.id)
  t.strictSame({ rowCount, drift }, { rowCount: first.rowCount, drift: [] })
  const restored = await readState(otherSql)
  t.same(restored.rows, rows)
  t.same(restored.sequences, sequences)
  t.equal(dataPart(readOther(await otherEngine.create())), dataPart(read(first)), 'byte for byte')
})
