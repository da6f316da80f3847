import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'

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
 * A database for one test on the server of TEST_DATABASE_URL, dropped after the test.
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
  const name = `fastify_backup_${randomBytes(8).toString('hex')}`
  const url = urlOf(name)

  // template0 allows any encoding, and no other connection can block its use
  const admin = postgres(serverUrl(), { max: 1, onnotice: () => {} })
  await admin`CREATE DATABASE ${admin(name)} TEMPLATE template0 ENCODING ${admin.unsafe(`'${encoding}'`)}
    LC_COLLATE 'C' LC_CTYPE 'C'`
  await admin`ALTER DATABASE ${admin(name)} SET search_path = ${admin(schema)}`
  const sql = postgres(url, { onnotice: () => {} })
  t.after(async () => {
    await sql.end({ timeout: 1 })
    await admin`DROP DATABASE IF EXISTS ${admin(name)} WITH (FORCE)`
    if (owner === 'plain') await admin`DROP ROLE IF EXISTS ${admin(name)}`
    await admin.end({ timeout: 1 })
  })
  if (schema !== 'public') await sql`ALTER SCHEMA public RENAME TO ${sql(schema)}`
  if (owner === undefined) return { url, sql }

  const password = randomBytes(16).toString('hex')
  await sql`CREATE ROLE ${sql(name)} LOGIN NOSUPERUSER PASSWORD ${sql.unsafe(`'${password}'`)}`
  await sql`ALTER DATABASE ${sql(name)} OWNER TO ${sql(name)}`
  await sql`ALTER SCHEMA ${sql(schema)} OWNER TO ${sql(name)}`
  return { url, sql, ownerUrl: urlOf(name, { user: name, password }) }
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
