/** @import { Sql } from 'postgres' */

/**
 * Fills the tables of a schema. Every value depends only on the number of its row, so each run has the same rows.
 * @param {Sql} sql
 * @param {string} schema
 * @param {number} count of rows in the narrow table
 */
export async function fillTables (sql, schema, count) {
  const fill = (/** @type {string} */ table, /** @type {number} */ rows, /** @type {string} */ values) =>
    sql.unsafe(`INSERT INTO ${schema}.${table} SELECT ${values} FROM generate_series(1, ${Math.ceil(rows)}) AS i`)

  await fill('branches', 1000, "i, 'Branch ' || i")
  await fill('kinds', 100, "i, 'Kind ' || i")
  await fill('accounts', count, `i, ${keys}, i % 100000 - 50000, ''`)
  await fill('events', count / 6, `
    md5(i::text)::uuid, ${keys},
    timestamptz '2024-01-01 00:00:00.123456+00' + i * interval '61.000007 seconds',
    CASE WHEN i % 10 > 0 THEN ((i * 7919::bigint) % 100000000) / 10000.0 END,
    i % 3 = 0,
    CASE WHEN i % 5 > 0 THEN ARRAY['label ' || i % 50, 'a "quoted" one', 'plain'] END,
    jsonb_build_object(
      'customer', 'C' || i,
      'items', jsonb_build_array(i % 7, i % 11, null),
      'address', jsonb_build_object('city', 'Köln', 'zip', i % 90000)),
    sqrt(i::float8),
    CASE WHEN i % 4 > 0 THEN 'Delivered to "' || md5(i::text) || '"' END`)
  await fill('articles', count / 200, `
    i, ${keys}, 'Article "' || i || '"',
    (SELECT string_agg(md5(i || ':' || j) || E' — "it''s naïve", she said:\\t東京 🚀 \\\\\\n', '')
      FROM generate_series(1, 120) AS j)`)
  await fill('files', count / 1000, `
    i, ${keys}, i || '.bin',
    (SELECT string_agg(sha512((i || ':' || j)::bytea), '') FROM generate_series(1, 512) AS j)`)
}

/** The values of branch_id and kind_id. */
const keys = 'i % 1000 + 1, i % 100 + 1'
