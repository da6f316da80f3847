import t from 'tap'
import { useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { readState, sameDatabase } from './database-state.ts'

t.test('values of 100 MB are restored unchanged', async (t) => {
  const { sql, url } = await useDatabase(t)
  // One value consists of characters that JSON escapes, another is written by COPY in hexadecimal
  await sql.unsafe(`CREATE TABLE large (id int PRIMARY KEY, text text, bytes bytea, document jsonb);
    ALTER TABLE large ALTER text SET STORAGE EXTERNAL, ALTER bytes SET STORAGE EXTERNAL;
    INSERT INTO large VALUES (1, repeat('x"\\' || chr(10) || 'é', ${Math.round(100_000_000 / 6)}), NULL, NULL);
    INSERT INTO large VALUES (2, NULL, decode(repeat('00ff5c22', 12500000), 'hex'), to_jsonb(repeat('a"', 5000000)))`)
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id, sizeBytes } = await engine.create()
  t.ok((sizeBytes ?? 0) > 200_000_000)
  const before = await readState(sql)
  await sql`UPDATE large SET text = 'short', bytes = 'short'`
  await engine.restore(id)
  await sameDatabase(t, sql, before)
})
