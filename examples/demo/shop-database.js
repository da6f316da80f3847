// @ts-check
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { shopData } from './shop-data.js'
import { shopSchema } from './shop-schema.js'

/**
 * Creates the database of the shop with its tables and rows. Its role owns them, and is no superuser.
 * @param {string} adminUrl
 * @returns {Promise<{ url: string, rows: number, tables: number, bytes: number }>}
 */
export async function createShopDatabase (adminUrl) {
  const url = new URL(adminUrl)
  url.username = 'shop'
  url.password = randomBytes(16).toString('hex')
  url.pathname = '/shop'

  await using(adminUrl, async (admin) => {
    await admin.unsafe(`CREATE ROLE shop LOGIN PASSWORD '${url.password}'`)
    await admin.unsafe("CREATE DATABASE shop OWNER shop TEMPLATE template0 ENCODING 'UTF8'")
  })

  return await using(url.href, async (sql) => {
    await sql.unsafe(shopSchema)
    await sql.unsafe(shopData)
    const [size] = await sql`
      SELECT count(*)::integer AS tables, sum(reltuples)::integer AS rows,
        pg_database_size(current_database())::integer AS bytes
      FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`
    return { url: url.href, tables: size?.tables, rows: size?.rows, bytes: size?.bytes }
  })
}

/**
 * @template T
 * @param {string} url
 * @param {(sql: import('postgres').Sql) => Promise<T>} work
 */
async function using (url, work) {
  const sql = postgres(url, { max: 1, onnotice () {} })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}
