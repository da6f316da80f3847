import { fillTables } from './rows.js'
import { constrainTables, createTables, tableNames } from './tables.js'
/** @import { Sql, TransactionSql } from 'postgres' */

/** Length of the text in one value. PostgreSQL's limit is 1 GB. */
export const largeValueBytes = 200e6

export const manyTables = 2000

/**
 * Creates and fills the schemas that the scenarios name.
 * @type {Record<string, (sql: Sql, rows: number) => Promise<void>>}
 */
const creators = {
  async bare (sql, rows) {
    await createTables(sql, 'bare')
    await fillTables(sql, 'bare', rows)
  },

  async constrained (sql, rows) {
    await createTables(sql, 'constrained')
    await fillTables(sql, 'constrained', rows)
    await constrainTables(sql, 'constrained')
  },

  async large_value (sql) {
    await sql.unsafe(`
      CREATE SCHEMA large_value;
      CREATE TABLE large_value.texts (id integer NOT NULL, body text NOT NULL);
      INSERT INTO large_value.texts SELECT 1, repeat(md5('fastify-backup'), ${largeValueBytes / 32})`)
  },

  async one_row (sql) {
    await sql.unsafe(`
      CREATE SCHEMA one_row;
      CREATE TABLE one_row.item (id integer PRIMARY KEY, name text NOT NULL);
      INSERT INTO one_row.item VALUES (1, 'one')`)
  },

  async many_tables (sql) {
    await sql`CREATE SCHEMA many_tables`
    // Each table stays locked until its transaction ends, and the server's lock table is limited
    for (let first = 1; first <= manyTables; first += 250) {
      await sql.unsafe(`DO $$ BEGIN FOR n IN ${first}..${Math.min(first + 249, manyTables)} LOOP
        EXECUTE format(
          'CREATE TABLE many_tables.%I (id integer PRIMARY KEY, name text NOT NULL, at timestamptz)',
          'table_' || n);
        EXECUTE format(
          'INSERT INTO many_tables.%I
            SELECT i, md5(i::text), timestamptz ''2024-01-01+00'' FROM generate_series(1, 5) AS i',
          'table_' || n);
      END LOOP; END $$`)
    }
  }
}

/**
 * @param {Sql} sql
 * @param {string} schema
 * @param {number} rows in the narrow table
 */
export async function createSchema (sql, schema, rows) {
  const create = creators[schema]
  if (create === undefined) throw new Error(`The benchmark has no schema ${schema}`)
  await create(sql, rows)
  // Without it the first reader of new rows would set their hint bits, and write the pages again
  await sql`VACUUM (ANALYZE)`
}

/**
 * Truncates all tables in one statement, because foreign keys refer to some of them.
 * @param {Sql | TransactionSql} sql
 * @param {string} schema that contains the large tables
 */
export async function truncateTables (sql, schema) {
  await sql.unsafe(`TRUNCATE ${tableNames.map((name) => `${schema}.${name}`).join(', ')}`)
}
