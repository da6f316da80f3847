import type { Sql, TransactionSql } from 'postgres'

/**
 * Ends all other sessions in a database, drops its schemas, and creates `schema` as in a new database.
 * @param systemState readSystemState() of the database when it was new
 * @returns whether a test may use the database as a new one: no object of a user has remained, no object of the system
 *   has changed, and no session has begun in the meantime
 */
export async function emptyDatabase (sql: Sql, schema: string, systemState: string): Promise<boolean> {
  return await sql.begin(async (sql) => {
    await sql`SET LOCAL lock_timeout = '2s'`
    await sql`SET LOCAL search_path = pg_catalog`
    const sessions = await endOtherSessions(sql)
    const schemas = await sql`SELECT quote_ident(nspname) AS name FROM pg_namespace
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'`
    await sql.unsafe(`DROP SCHEMA ${schemas.map(({ name }) => String(name)).join(', ')} CASCADE;
      CREATE SCHEMA ${schema} AUTHORIZATION pg_database_owner;
      GRANT USAGE ON SCHEMA ${schema} TO PUBLIC`)
    const [object] = await sql.unsafe(`SELECT count(*)::int FROM (${await objects(sql)}) object WHERE ${isOfUser}`)
    const later = await endOtherSessions(sql)
    return sessions.every(({ ended }) => ended) && later.length === 0 && object?.count === 1 &&
      await readSystemState(sql) === systemState
  })
}

async function endOtherSessions (sql: TransactionSql): Promise<Array<{ ended: boolean }>> {
  await sql`SELECT pg_stat_clear_snapshot()`
  return await sql<Array<{ ended: boolean }>>`SELECT pg_terminate_backend(pid, 2000) AS ended FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`
}

/**
 * Changes with any object of the system, such as its privileges, and with owner, privileges, settings and comment of
 * the database. The schema public is left out.
 */
export async function readSystemState (sql: Sql | TransactionSql): Promise<string> {
  const [state] = await sql.unsafe(`
    SELECT md5(string_agg(concat_ws(' ', catalog, oid, xmin), ',' ORDER BY catalog, oid)) || (
        SELECT concat_ws(' ', datacl, datconnlimit, datdba, shobj_description(d.oid, 'pg_database'), (
          SELECT string_agg(concat_ws(' ', setrole, setconfig), ',' ORDER BY setrole)
          FROM pg_catalog.pg_db_role_setting WHERE setdatabase = d.oid))
        FROM pg_catalog.pg_database d WHERE datname = current_database()) AS text
    FROM (${await objects(sql)}) object WHERE NOT (${isOfUser}) AND oid <> ${publicOid}`)
  return String(state?.text)
}

/** A query of all objects of the database. */
async function objects (sql: Sql | TransactionSql): Promise<string> {
  const catalogs = await sql`SELECT c.relname AS name FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'oid'
    WHERE c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relkind = 'r' AND NOT c.relisshared`
  return catalogs.map(({ name }) => `SELECT '${name}' AS catalog, oid, xmin FROM pg_catalog.${name}`)
    .join(' UNION ALL ')
}

/** See https://www.postgresql.org/docs/current/system-catalog-initial-data.html#SYSTEM-CATALOG-OID-ASSIGNMENT. */
const isOfUser = 'oid >= 16384'
const publicOid = 2200
