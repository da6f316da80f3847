import postgres from 'postgres'
import t from 'tap'
import { useDatabase } from '../support/database.ts'
import { damageEverything, readState, sameDatabase } from './database-state.ts'
import { createTortureSchema, excludedTables, keptRelations } from './torture-schema.ts'
import { dataPart, useEngine } from './use-engine.ts'

t.test('what a restore brings back is the database as it was, for a table of every shape', async (t) => {
  const { sql, url } = await useDatabase(t)
  await createTortureSchema(sql)
  const { engine, read } = await useEngine(t, { connection: url, excludeTables: excludedTables })
  const first = await engine.create()
  const before = await readState(sql)

  await damageEverything(sql, keptRelations)
  t.notSame((await readState(sql)).rows, before.rows)
  const result = await engine.restore(first.id)
  await sameDatabase(t, sql, before)
  t.equal(result.rowCount, first.rowCount)
  t.equal((await engine.get(result.preRestoreId)).rowCount, 0)

  const second = await engine.create()
  t.equal(dataPart(read(second)), dataPart(read(first)), 'byte for byte')
  await engine.restore(first.id)
  await sameDatabase(t, sql, before)
})

t.test('so it is for a role that owns the tables and is no superuser', async (t) => {
  const { sql, ownerUrl } = await useDatabase(t, { owner: 'plain' })
  const owner = postgres(ownerUrl, { max: 1, onnotice () {} })
  t.after(async () => { await owner.end() })
  await createTortureSchema(owner)
  const { engine, read } = await useEngine(t, { connection: ownerUrl, excludeTables: excludedTables })
  const first = await engine.create()
  const before = await readState(sql)

  await damageEverything(sql, keptRelations)
  await engine.restore(first.id)
  await sameDatabase(t, sql, before)
  t.equal(dataPart(read(await engine.create())), dataPart(read(first)), 'byte for byte')
})
