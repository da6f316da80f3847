import { fillTables } from './rows.js'
import { constrainTables, createTables } from './tables.js'
/** @import { Sql, TransactionSql } from 'postgres' */

/** Length of the text in one value. PostgreSQL's limit is 1 GB. */
export const largeValueBytes = 200e6

export const manyTables = 2000

/** Small tables that refer to each other, as in the schema of a large application. */
export const relatedTables = 373
export const relatedKeys = 890

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

  async related (sql) {
    // The first tables have one foreign key more than the others
    const more = relatedKeys - 2 * relatedTables
    await sql.unsafe(`
      CREATE SCHEMA related;
      DO $$ BEGIN FOR n IN 1..${relatedTables} LOOP
        EXECUTE format('CREATE TABLE related.%I (id integer PRIMARY KEY, name text NOT NULL)', 'table_' || n);
        FOR k IN 1..CASE WHEN n <= ${more} THEN 3 ELSE 2 END LOOP
          EXECUTE format('ALTER TABLE related.%I ADD %I integer REFERENCES related.%I',
            'table_' || n, 'ref_' || k, 'table_' || greatest(1, n - k * 7));
        END LOOP;
        EXECUTE format('INSERT INTO related.%I
          SELECT i, md5(i::text), 1 + mod(i, 20), 1 + mod(i * 7, 20) FROM generate_series(1, 20) AS i', 'table_' || n);
      END LOOP; END $$`)
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
 * @param {string} schema
 */
export async function truncateTables (sql, schema) {
  const tables = await sql`SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
    WHERE schemaname = ${schema}`
  await sql.unsafe(`TRUNCATE ${tables.map(({ name }) => name).join(', ')}`)
}
