import t from 'tap'
import { cancelBlocked } from '../support/backends.ts'
import { useEngine, type Place, type TestEngine } from '../support/engine.ts'
import { testSchema, type TestScope, useDatabase } from '../support/database.ts'
import { useDirectory } from '../support/directory.ts'
import { rejectionOf } from './rejection.ts'

const home = testSchema

async function useSchema (t: TestScope, ddl: string): Promise<Place> {
  const place = { ...await useDatabase(t), directory: await useDirectory(t) }
  await place.sql.unsafe(ddl)
  return place
}

/** Returns what the next nextval() would return. */
async function nextOf ({ sql }: Place, sequence: string): Promise<number> {
  const [row] = await sql.unsafe(`SELECT last_value + CASE WHEN is_called THEN seqincrement ELSE 0 END AS next
      FROM ${sequence}, pg_sequence WHERE seqrelid = '${sequence}'::regclass`)
  return Number(row?.next)
}

type PlanOptions = Parameters<TestEngine['plan']>[1]

const planned = async (engine: TestEngine, id: string, options: PlanOptions = {}): Promise<string[]> =>
  (await engine.plan(id, options)).sequences.map(({ name, now, after }) => `${name} ${now} ${after}`)

t.test('a copy of a tenant that uses the sequence of the tenant never sets it back', async (t) => {
  const place = await useSchema(t, `
    CREATE SCHEMA tenant_a; CREATE SCHEMA tenant_copy;
    CREATE TABLE tenant_a.users (id serial PRIMARY KEY, name text);
    CREATE TABLE tenant_copy.users (LIKE tenant_a.users INCLUDING ALL);
    INSERT INTO tenant_a.users (name) VALUES ('a'), ('b'), ('c')`)
  const engine = useEngine(t, place)
  const { id } = await engine.create({ schema: 'tenant_a' })
  await place.sql`INSERT INTO tenant_a.users (name) SELECT 'more' FROM generate_series(1, 100)`
  t.strictSame(await planned(engine, id, { schema: 'tenant_copy' }), ['tenant_a.users_id_seq 103 103'])
  await engine.restore(id, { schema: 'tenant_copy' })
  t.equal(await nextOf(place, 'tenant_a.users_id_seq'), 104)
  await place.sql`INSERT INTO tenant_a.users (name) VALUES ('next')`
  t.equal((await place.sql`SELECT FROM tenant_copy.users`).length, 3)

  // If the tenant's sequence was reset, it goes forward, so that the next row of the copy gets a free key
  await place.sql`ALTER SEQUENCE tenant_a.users_id_seq RESTART`
  t.strictSame(await planned(engine, id, { schema: 'tenant_copy' }), ['tenant_a.users_id_seq 1 3'])
  await engine.restore(id, { schema: 'tenant_copy' })
  t.equal(await nextOf(place, 'tenant_a.users_id_seq'), 4)
})

t.test('a copy of a tenant does not change the sequence of a tenant that the caller may not change', async (t) => {
  const place = await useSchema(t, `
    CREATE SCHEMA tenant_a; CREATE SCHEMA tenant_copy; CREATE SEQUENCE tenant_a.ids;
    CREATE TABLE tenant_copy.users (id bigint DEFAULT nextval('tenant_a.ids') PRIMARY KEY);
    INSERT INTO tenant_copy.users DEFAULT VALUES`)
  const engine = useEngine(t, place, { schemas: ['tenant_copy'], schema: 'tenant_copy', logSchema: home })
  const { id } = await engine.create()
  await place.sql`SELECT setval('tenant_a.ids', 77)`
  t.strictSame(await planned(engine, id), [])
  await engine.restore(id)
  t.equal(await nextOf(place, 'tenant_a.ids'), 78)
  await useEngine(t, place).restore(id)
  t.equal(await nextOf(place, 'tenant_a.ids'), 2, 'nothing else uses it, and this caller may change it')
})

t.test('a sequence of two tables only goes forward when one of them is restored', async (t) => {
  const place = await useSchema(t, `CREATE SEQUENCE ids; CREATE TABLE a (id bigint DEFAULT nextval('ids'));
    CREATE TABLE b (id bigint DEFAULT nextval('ids'));
    INSERT INTO a DEFAULT VALUES; INSERT INTO b DEFAULT VALUES`)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`INSERT INTO b SELECT nextval('ids') FROM generate_series(1, 10)`
  await engine.restore(id, { tables: ['a'] })
  t.equal(await nextOf(place, 'ids'), 13)
  await engine.restore(id)
  t.equal(await nextOf(place, 'ids'), 3, 'it goes back when both are restored')
})

t.test('a sequence that an excluded table uses only goes forward, and its other sequence is unchanged', async (t) => {
  const place = await useSchema(t, `CREATE TABLE audit_logs (id serial, other serial);
    CREATE TABLE a (id bigint DEFAULT nextval('audit_logs_id_seq'));
    INSERT INTO a DEFAULT VALUES; INSERT INTO audit_logs DEFAULT VALUES`)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`INSERT INTO audit_logs SELECT FROM generate_series(1, 10)`
  t.strictSame(await planned(engine, id), ['audit_logs_id_seq 12 12'])
  await engine.restore(id)
  t.equal(await nextOf(place, 'audit_logs_id_seq'), 13)
  t.equal(await nextOf(place, 'audit_logs_other_seq'), 12)
})

const unknownUses: Array<[what: string, ddl: string]> = [
  ['that only the application uses', 'CREATE SEQUENCE hibernate_sequence; CREATE TABLE a (id bigint)'],
  ['in the body of a trigger', `CREATE SEQUENCE hibernate_sequence; CREATE TABLE a (id bigint);
    CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := nextval('hibernate_sequence');
    RETURN NEW; END $$;
    CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION number()`],
  ['behind the default of a domain', `CREATE SEQUENCE hibernate_sequence;
    CREATE DOMAIN d AS bigint DEFAULT nextval('hibernate_sequence');
    CREATE DOMAIN dd AS d; CREATE TABLE a (id dd)`],
  ['of a function', `CREATE SEQUENCE hibernate_sequence; CREATE TABLE a (id bigint);
    CREATE FUNCTION number() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT nextval('hibernate_sequence'); END`]
]
for (const [what, ddl] of unknownUses) {
  t.test(`a sequence ${what} goes forward after a loss of data`, async (t) => {
    const place = await useSchema(t, ddl)
    await place.sql`SELECT setval('hibernate_sequence', 41)`
    const engine = useEngine(t, place)
    const { id } = await engine.create()
    await place.sql`ALTER SEQUENCE hibernate_sequence RESTART`
    t.strictSame(await planned(engine, id), ['hibernate_sequence 1 41'])
    const { preRestoreId } = await engine.restore(id)
    t.equal(await nextOf(place, 'hibernate_sequence'), 42)
    if (what.includes('domain')) return
    await engine.restore(preRestoreId)
    t.equal(await nextOf(place, 'hibernate_sequence'), 42, 'and it does not go back')
  })
}

t.test('a descending sequence goes forward by going down', async (t) => {
  const place = await useSchema(t, `CREATE SEQUENCE ids INCREMENT -2; CREATE TABLE a (id bigint DEFAULT nextval('ids'));
    CREATE TABLE b (id bigint DEFAULT nextval('ids'));
    INSERT INTO a SELECT FROM generate_series(1, 10)`)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`INSERT INTO b SELECT FROM generate_series(1, 10)`
  await engine.restore(id, { tables: ['a'] })
  t.equal(await nextOf(place, 'ids'), -41)
  await place.sql`ALTER SEQUENCE ids RESTART`
  await engine.restore(id, { tables: ['a'] })
  t.equal(await nextOf(place, 'ids'), -21)
})

t.test('sequences of two schemas with the same table and column are distinct', async (t) => {
  const place = await useSchema(t, `CREATE SCHEMA a_far; CREATE TABLE a_far.users (id serial);
    CREATE TABLE users (id bigint DEFAULT nextval('a_far.users_id_seq'), n serial);
    INSERT INTO users DEFAULT VALUES; ALTER SEQUENCE a_far.users_id_seq OWNED BY a_far.users.id`)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`SELECT setval('a_far.users_id_seq', 500), setval('users_n_seq', 500)`
  t.strictSame(await planned(engine, id), ['a_far.users_id_seq 500 500', 'users_n_seq 500 1'])
  await engine.restore(id)
  t.strictSame([await nextOf(place, 'a_far.users_id_seq'), await nextOf(place, 'users_n_seq')], [501, 2])
})

t.test('a shared sequence of another owner fails a restore only if it has to be changed', async (t) => {
  const place = { ...await useDatabase(t, { owner: 'plain' }), directory: await useDirectory(t) }
  const owner = new URL(place.ownerUrl).username
  await place.sql.unsafe(`CREATE SCHEMA a_far; CREATE SEQUENCE a_far.ids; GRANT USAGE ON SCHEMA a_far TO ${owner};
    GRANT ALL ON a_far.ids TO ${owner}; SELECT setval('a_far.ids', 10);
    CREATE TABLE a (id bigint DEFAULT nextval('a_far.ids')); ALTER TABLE a OWNER TO ${owner};
    CREATE TABLE a_far.b (id bigint DEFAULT nextval('a_far.ids'))`)
  const engine = useEngine(t, { ...place, url: place.ownerUrl })
  const { id } = await engine.create()
  await engine.restore(id)
  await place.sql`ALTER SEQUENCE a_far.ids RESTART`
  const { problems } = await rejectionOf(t, engine.restore(id), 'FST_BACKUP_CANNOT_RESTORE')
  t.strictSame(problems, ['the role does not own the sequence a_far.ids'])
  await place.sql.unsafe(`SELECT setval('a_far.ids', 20); REVOKE SELECT ON a_far.ids FROM ${owner}`)
  const { ok, sequences } = await engine.plan(id)
  t.strictSame({ ok, sequences }, { ok: false, sequences: [] })
})

t.test('a plan warns of a sequence in a schema that the caller may not change, if it is behind the rows', async (t) => {
  const place = await useSchema(t, `CREATE SCHEMA a_far; CREATE TABLE a_far.users (id serial);
    CREATE TABLE users (LIKE a_far.users INCLUDING ALL);
    INSERT INTO users DEFAULT VALUES; INSERT INTO users DEFAULT VALUES`)
  const engine = useEngine(t, place, { schemas: [home] })
  const { id } = await engine.create()
  t.strictSame((await engine.plan(id)).warnings, [])
  await place.sql`ALTER SEQUENCE a_far.users_id_seq RESTART`
  const { ok, sequences, warnings } = await engine.plan(id)
  t.strictSame({ ok, sequences }, { ok: true, sequences: [] })
  t.equal(warnings.length, 1)
  t.match(
    warnings[0],
    /^the sequence a_far\.users_id_seq is in a schema that .* may not change, so it is not set to 2 /
  )
  await engine.restore(id)
  t.equal(await nextOf(place, 'a_far.users_id_seq'), 1)
})

t.test('a value outside the range of the sequence is reported before the restore changes anything', async (t) => {
  const place = await useSchema(t, "CREATE TABLE item (id serial PRIMARY KEY); SELECT setval('item_id_seq', 500)")
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql.unsafe('ALTER SEQUENCE item_id_seq MAXVALUE 499 RESTART')
  const problem = `the sequence ${home}.item_id_seq is at 500 in the snapshot, and its range is now 1 to 499; ` +
    'widen its MINVALUE and MAXVALUE'
  t.strictSame((await engine.plan(id)).drift.map((drift) => drift.problem), [problem])
  t.strictSame((await rejectionOf(t, engine.restore(id), 'FST_BACKUP_CANNOT_RESTORE')).problems, [problem])
  await place.sql.unsafe('ALTER SEQUENCE item_id_seq MINVALUE 10 MAXVALUE 500 START 10 RESTART')
  await engine.restore(id)
  t.equal(await nextOf(place, 'item_id_seq'), 501)
  await place.sql.unsafe('ALTER SEQUENCE item_id_seq MAXVALUE 600 MINVALUE 501 START 501 RESTART')
  t.match(await engine.plan(id), { ok: false })
})

t.test('a sequence that a view owns goes forward, too', async (t) => {
  const place = await useSchema(t, `CREATE VIEW shown AS SELECT 1 AS id; CREATE SEQUENCE ids OWNED BY shown.id;
    SELECT setval('ids', 41)`)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`ALTER SEQUENCE ids RESTART`
  await engine.restore(id)
  t.equal(await nextOf(place, 'ids'), 42)
})

t.test('the default of a new column calls nextval() during the load, and no value occurs twice', async (t) => {
  const place = await useSchema(t, `CREATE TABLE items (id serial);
    INSERT INTO items SELECT FROM generate_series(1, 3)`)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  await place.sql`ALTER TABLE items ADD COLUMN code int DEFAULT nextval('items_id_seq')`
  await engine.restore(id)
  t.strictSame([...await place.sql`SELECT id, code FROM items ORDER BY id`], [
    { id: 1, code: 4 },
    { id: 2, code: 5 },
    { id: 3, code: 6 }
  ])
  t.equal(await nextOf(place, 'items_id_seq'), 7)
})

t.test('a snapshot warns of a sequence that the role may not read and that no table uses', async (t) => {
  const place = { ...await useDatabase(t, { owner: 'plain' }), directory: await useDirectory(t) }
  await place.sql`CREATE SEQUENCE hidden`
  const engine = useEngine(t, { ...place, url: place.ownerUrl })
  const { id, warnings } = await engine.create()
  t.strictSame(warnings, [
    `the role lacks the SELECT privilege on the sequence ${home}.hidden, so its value is not in this snapshot`
  ])
  t.strictSame((await engine.get((await engine.restore(id)).preRestoreId)).warnings, warnings)
})

t.test('a restore waits for a sequence that another session has locked, and retries', async (t) => {
  const place = await useSchema(t, `CREATE SCHEMA a_far; CREATE TABLE a_far.users (id serial);
    CREATE TABLE users (LIKE a_far.users INCLUDING ALL); INSERT INTO users DEFAULT VALUES`)
  const engine = useEngine(t, place)
  const { id } = await engine.create()
  const other = await place.sql.reserve()
  t.after(async () => { other.release() })
  await other.unsafe('BEGIN; TRUNCATE a_far.users RESTART IDENTITY')
  const restoring = engine.restore(id)
  // Like its statement timeout
  await cancelBlocked(place.sql, 2)
  await other`ROLLBACK`
  t.match(await restoring, { rowCount: 1 })
})
