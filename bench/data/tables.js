/** @import { Sql } from 'postgres' */

/** The large tables, each one after those that its foreign keys refer to. */
export const tableNames = ['branches', 'kinds', 'accounts', 'events', 'articles', 'files']

/**
 * Creates the tables without keys and indexes.
 * @param {Sql} sql
 * @param {string} schema
 */
export async function createTables (sql, schema) {
  await sql.unsafe(`
    CREATE SCHEMA ${schema};
    CREATE TABLE ${schema}.branches (id integer NOT NULL, name text NOT NULL);
    CREATE TABLE ${schema}.kinds (id integer NOT NULL, name text NOT NULL);
    CREATE TABLE ${schema}.accounts (
      id integer NOT NULL, branch_id integer NOT NULL, kind_id integer NOT NULL,
      balance integer NOT NULL, filler character(84));
    CREATE TABLE ${schema}.events (
      id uuid NOT NULL, branch_id integer NOT NULL, kind_id integer NOT NULL,
      happened_at timestamptz NOT NULL, amount numeric(18, 4), done boolean NOT NULL,
      labels text[], detail jsonb, score float8, remark text);
    CREATE TABLE ${schema}.articles (
      id integer NOT NULL, branch_id integer NOT NULL, kind_id integer NOT NULL,
      title text NOT NULL, body text NOT NULL);
    CREATE TABLE ${schema}.files (
      id integer NOT NULL, branch_id integer NOT NULL, kind_id integer NOT NULL,
      name text NOT NULL, content bytea NOT NULL)`)
}

/**
 * Gives each table two foreign keys and three indexes, except the two small tables that the foreign keys refer to.
 * @param {Sql} sql
 * @param {string} schema
 */
export async function constrainTables (sql, schema) {
  for (const table of tableNames) await sql.unsafe(`ALTER TABLE ${schema}.${table} ADD PRIMARY KEY (id)`)
  for (const table of tableNames.slice(2)) {
    await sql.unsafe(`
      ALTER TABLE ${schema}.${table}
        ADD FOREIGN KEY (branch_id) REFERENCES ${schema}.branches,
        ADD FOREIGN KEY (kind_id) REFERENCES ${schema}.kinds;
      CREATE INDEX ON ${schema}.${table} (branch_id);
      CREATE INDEX ON ${schema}.${table} (kind_id)`)
  }
}
