import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import root from 'tap'
import { connected } from './connected.ts'
import { emptyDatabase, readSystemState } from './empty-database.ts'

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
  const reused = isReusable ? emptyDatabases.pop() : undefined
  const name = reused?.name ?? await createDatabase(schema, encoding)
  const url = urlOf(name)
  const systemState = reused?.systemState ?? (isReusable ? await connected(url, readSystemState) : '')
  const sql = postgres(url, { onnotice: () => {} })
  t.after(async () => {
    await sql.end({ timeout: 1 })
    const isEmpty = isReusable &&
      await connected(url, async (sql) => await emptyDatabase(sql, schema, systemState)).catch(() => false)
    if (isEmpty) emptyDatabases.push({ name, systemState })
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

/** The databases of that server that tests of this process have left empty. */
const emptyDatabases: Array<{ name: string, systemState: string }> = []

root.after(async () => {
  for (const { name } of emptyDatabases) await dropDatabase(serverUrl(), name)
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
