// @ts-check
// One schema per tenant: a snapshot of one tenant is restored into the schema of another.
//
//   DATABASE_URL=postgres://user:password@host/database node examples/tenants.js
//
// Creates the schemas example_tenant_acme, example_tenant_zebra and example_backups, and drops them at the end.

import Fastify from 'fastify'
import backup from 'fastify-backup'
import postgres from 'postgres'

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to the URL of a PostgreSQL database')
const sql = postgres(DATABASE_URL, { onnotice () {} })

const dropAll = () => sql`DROP SCHEMA IF EXISTS example_tenant_acme, example_tenant_zebra, example_backups CASCADE`
await dropAll()
await sql`CREATE SCHEMA example_backups`
for (const [tenant, count] of /** @type {const} */ ([['example_tenant_acme', 3], ['example_tenant_zebra', 5]])) {
  await sql`CREATE SCHEMA ${sql(tenant)}`
  await sql`
    CREATE TABLE ${sql(tenant)}.invoices (
      number serial PRIMARY KEY,
      customer text NOT NULL,
      amount numeric(10,2) NOT NULL
    )`
  await sql`
    INSERT INTO ${sql(tenant)}.invoices (customer, amount)
    SELECT ${tenant} || ' no. ' || i, i * 9.99 FROM generate_series(1, ${count}::integer) i`
}

const isTenant = (/** @type {string} */ name) => name.startsWith('example_tenant_')
const listTenants = async () => {
  const rows = await sql`SELECT nspname FROM pg_namespace`
  return rows.map(({ nspname }) => nspname).filter(isTenant)
}
const refuseAll = async () => { throw Object.assign(new Error('No access over HTTP'), { statusCode: 403 }) }

const app = Fastify()
await app.register(backup, {
  enabled: true,
  sql,
  auth: [refuseAll],
  allowRestore: true,
  logSchema: 'example_backups',
  schema: 'example_tenant_acme', // if a call names none
  schemas: isTenant, // what callers may name
  schedule: { enabled: true, cron: '0 */6 * * *', schemas: listTenants } // also tenants that are added later
})

try {
  const { id, schema, rowCount } = await app.backup.create({ schema: 'example_tenant_acme' })
  console.log(`snapshot of ${schema}: ${rowCount} rows`)

  await app.backup.create({ schema: 'example_backups' }).catch((err) => console.log(`refused: ${err.message}`))

  const plan = await app.backup.plan(id, { schema: 'example_tenant_zebra' })
  const changes = plan.tables.map(({ name, rowsNow, rowsAfter }) => `${name} ${rowsNow} → ${rowsAfter}`)
  console.log(`plan for ${plan.schema}: ${changes.join(', ')}`)

  const result = await app.backup.restore(id, { schema: 'example_tenant_zebra' })
  console.log(`restored ${result.rowCount} rows; the rows that zebra had are in the snapshot ${result.preRestoreId}`)
  console.table(await sql`SELECT * FROM example_tenant_zebra.invoices ORDER BY number`)
} finally {
  await app.close()
  await dropAll()
  await sql.end()
}
