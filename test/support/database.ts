import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import root from 'tap'

/** What a helper needs of tap's test: a place for its clean-up. */
export interface TestScope {
  after (clean: () => Promise<void>): void
}

export interface TestDatabase {
  /** Of the database, as the server's superuser. */
  url: string
  /** Connections of the same user; ended after the test. */
  sql: Sql
}

export interface OwnedDatabase extends TestDatabase {
  /** Of the database, as a role without superuser that owns the database and its schema. */
  ownerUrl: string
}

/**
 * The schema of the tests' tables: `public`, or that of TEST_SCHEMA, which shows that nothing depends on the name. It
 * needs no quotes.
 */
export const testSchema = process.env.TEST_SCHEMA ?? 'public'

/**
 * A database for one test on the server of TEST_DATABASE_URL. After the test it is emptied, and serves a later test of
 * the same file, or is dropped if something remains in it.
 * @throws when TEST_DATABASE_URL is missing: no test is skipped because there is no server
 */
export async function useDatabase (
  t: TestScope, options?: { schema?: string, encoding?: string }
): Promise<TestDatabase>
export async function useDatabase (t: TestScope, options: { owner: 'plain' }): Promise<OwnedDatabase>
export async function useDatabase (
  t: TestScope,
  { owner, schema = testSchema, encoding = 'UTF8' }: { owner?: 'plain', schema?: string, encoding?: string } = {}
): Promise<TestDatabase | OwnedDatabase> {
  const server = serverUrl()
  const isReusable = server === sharedServer && owner === undefined && schema === testSchema && encoding === 'UTF8'
  const name = (isReusable ? emptyDatabases.pop() : undefined) ?? await createDatabase(schema, encoding)
  const url = urlOf(name)
  const sql = postgres(url, { onnotice: () => {} })
  t.after(async () => {
    await sql.end({ timeout: 1 })
    if (isReusable && await emptyDatabase(url).catch(() => false)) emptyDatabases.push(name)
    else await dropDatabase(server, name)
    if (owner === 'plain') await connected(server, async (admin) => await admin`DROP ROLE IF EXISTS ${admin(name)}`)
  })
  if (owner === undefined) return { url, sql }

  const password = randomBytes(16).toString('hex')
  await sql`CREATE ROLE ${sql(name)} LOGIN NOSUPERUSER PASSWORD ${sql.unsafe(`'${password}'`)}`
  await sql`ALTER DATABASE ${sql(name)} OWNER TO ${sql(name)}`
  await sql`ALTER SCHEMA ${sql(schema)} OWNER TO ${sql(name)}`
  return { url, sql, ownerUrl: urlOf(name, { user: name, password }) }
}

/** The server of all tests; some tests set the variable to a server of their own for a while. */
const sharedServer = process.env.TEST_DATABASE_URL

/** Names of the databases of that server that tests of this process have left empty. */
const emptyDatabases: string[] = []

root.after(async () => {
  for (const name of emptyDatabases) await dropDatabase(serverUrl(), name)
})

async function createDatabase (schema: string, encoding: string): Promise<string> {
  const name = `fastify_backup_${randomBytes(8).toString('hex')}`
  await connected(serverUrl(), async (admin) => {
    // template0 allows any encoding, and no other connection can block its use
    await admin`CREATE DATABASE ${admin(name)} TEMPLATE template0 ENCODING ${admin.unsafe(`'${encoding}'`)}
      LC_COLLATE 'C' LC_CTYPE 'C'`
    await admin`ALTER DATABASE ${admin(name)} SET search_path = ${admin(schema)}`
  })
  if (schema !== 'public') {
    await connected(urlOf(name), async (sql) => await sql`ALTER SCHEMA public RENAME TO ${sql(schema)}`)
  }
  return name
}

async function dropDatabase (server: string, name: string): Promise<void> {
  await connected(server, async (admin) => await admin`DROP DATABASE IF EXISTS ${admin(name)} WITH (FORCE)`)
}

/** Calls a function with a connection of the superuser. */
async function connected<Result> (url: string, use: (sql: Sql) => Promise<Result>): Promise<Result> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await use(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/**
 * Drops the schemas of a database, after the end of all other sessions in it, and creates the schema of the tests
 * again.
 * @returns whether the database is then like a new one: the catalogs contain the objects of the system and no other
 *   one, and the privileges, settings and owner of the database are the initial ones
 */
async function emptyDatabase (url: string): Promise<boolean> {
  return await connected(url, async (sql) => await sql.begin(async (sql) => {
    await sql`SET LOCAL lock_timeout = '2s'`
    await sql`SET LOCAL search_path = pg_catalog`
    await sql`SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`
    const catalogs = await sql`SELECT c.relname AS name FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'oid'
      WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared`
    const objects = catalogs.map(({ name }) => `SELECT oid FROM ${name}`).join(' UNION ALL ')
    const [before] = await sql.unsafe(countObjects(objects))

    const schemas = await sql`SELECT quote_ident(nspname) AS name FROM pg_namespace
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'`
    await sql.unsafe(`DROP SCHEMA ${schemas.map(({ name }) => String(name)).join(', ')} CASCADE;
      CREATE SCHEMA ${testSchema} AUTHORIZATION pg_database_owner;
      GRANT USAGE ON SCHEMA ${testSchema} TO PUBLIC`)
    const [after] = await sql.unsafe(countObjects(objects))
    const [database] = await sql`
      SELECT datacl IS NULL AND datconnlimit = -1 AND datdba = to_regrole(quote_ident(current_user)) AND (
          SELECT array_agg(setrole || array_to_string(setconfig, ' ')) FROM pg_db_role_setting WHERE setdatabase = d.oid
        ) = ${[`0search_path=${testSchema}`]} AS is_initial
      FROM pg_database d WHERE datname = current_database()`
    // A table of an extension takes the extension with it
    return after?.users === '1' && after.systems === before?.systems && database?.is_initial === true
  }))
}

/** Counts the objects of users, and those of the system without the schema public. */
const countObjects = (objects: string): string => `
  SELECT count(*) FILTER (WHERE oid >= ${firstUserOid}) AS users,
    count(*) FILTER (WHERE oid < ${firstUserOid} AND oid <> ${publicOid}) AS systems FROM (${objects}) object`

/** See https://www.postgresql.org/docs/current/system-catalog-initial-data.html#SYSTEM-CATALOG-OID-ASSIGNMENT. */
const firstUserOid = 16384
const publicOid = 2200

function urlOf (database: string, role?: { user: string, password: string }): string {
  const url = new URL(serverUrl())
  url.pathname = `/${database}`
  if (role !== undefined) {
    url.username = role.user
    url.password = role.password
  }
  return url.href
}

function serverUrl (): string {
  const url = process.env.TEST_DATABASE_URL
  if (!url) {
    throw new Error('TEST_DATABASE_URL is not set, so there is no PostgreSQL to test on; run npm test, or ' +
      'npm run test:unit -- restore/refusals')
  }
  return url
}
