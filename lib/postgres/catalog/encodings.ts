import type { CatalogColumn, CatalogRelation } from './tables.ts'
import type { ServerFacts } from './server.ts'
import { isUntranslatable } from '../database-error.ts'
import { qualifiedName, quoteIdentifier, quoteLiteral } from '../identifiers.ts'
import { withSearchPath } from '../settings.ts'
import type { Transaction } from '../driver/transaction.ts'

/**
 * Encodings in which the server's conversion to UTF-8 and back changes some text: 23 characters of EUC_JP, 5,864 of
 * EUC_TW, and pairs of EUC_JIS_2004 that become one character. The test "all other encodings …" fails when there are
 * more.
 */
const lossyEncodings = new Set(['EUC_JP', 'EUC_TW', 'EUC_JIS_2004'])

export const isLossless = (encoding: string): boolean => !lossyEncodings.has(encoding)

/**
 * Text that such a database changes without an error: EUC_JP returns U+FFE4 for U+00A6. Text that the other two
 * encodings change cannot be converted back at all. The test "no other character of Unicode up to U+FFFF is stored as
 * another one" fails when there is more.
 */
const changedText = new Map([['EUC_JP', Buffer.from('\u00a6')]])

/** Searches for such text in UTF-8, in consecutive pieces of any size. Undefined when the encoding has none. */
export function createTextCheck (encoding: string): ((piece: Buffer) => boolean) | undefined {
  const changed = changedText.get(encoding)
  if (changed === undefined) return undefined
  let last: number | undefined
  return (piece) => {
    const isCut = last === changed[0] && piece[0] === changed[1]
    last = piece.at(-1)
    return isCut || piece.includes(changed)
  }
}

/**
 * Types whose text is ASCII under the pinned settings (oids in pg_type.dat): bool, bytea, numbers, times, uuid, bits
 * and addresses.
 */
const asciiTypes = new Set([
  16, 17, 20, 21, 23, 26, 700, 701, 790, 1700, 1082, 1083, 1114, 1184, 1186, 1266, 2950, 1560, 1562, 650, 829, 869
])

const encoded = (text: string, encoding: string): string => `pg_catalog.convert_to(${text}, ${quoteLiteral(encoding)})`

/**
 * Whether the conversion to UTF-8 and back changes these bytes. The expression fails with an error that
 * isUntranslatable() recognizes when there is no conversion for them.
 */
function isChanged (bytes: string, encoding: string): string {
  const name = quoteLiteral(encoding)
  return `pg_catalog.convert(pg_catalog.convert(${bytes}, ${name}, 'UTF8'), 'UTF8', ${name})
    OPERATOR(pg_catalog.<>) ${bytes}`
}

/**
 * Whether the relation contains a row whose text the conversion to UTF-8 and back changes, or that cannot be
 * converted. Reads all rows.
 */
export async function containsLossyText (
  tx: Transaction, { schema, name }: Pick<CatalogRelation, 'schema' | 'name'>,
  { columns }: { columns: Array<Pick<CatalogColumn, 'name' | 'baseType'>> },
  { encoding, roleSettings }: Pick<ServerFacts, 'encoding' | 'roleSettings'>
): Promise<boolean> {
  const list = columns.filter(({ baseType }) => !asciiTypes.has(baseType)).map((column) => quoteIdentifier(column.name))
  if (list.length === 0) return false
  // One conversion of the complete row includes text within arrays, composites and documents. Because of OFFSET 0 the
  // row is converted to text once
  const text = encoded(`ROW(${list.join(', ')})::pg_catalog.text`, encoding)
  let isFound = false
  try {
    // The planner runs functions of indexes, which find their tables by the role's own search_path
    await withSearchPath(tx, roleSettings, async () => {
      const { found } = await tx.queryRow<{ found: boolean }>(`SELECT EXISTS (
        SELECT FROM (SELECT ${text} AS bytes FROM ONLY ${qualifiedName(schema, name)} OFFSET 0) s
        WHERE ${isChanged('s.bytes', encoding)}) AS found`)
      isFound = found
    })
    return isFound
  } catch (error) {
    if (!isUntranslatable(error)) throw error
    return true
  }
}

/**
 * Names of those of `relations` (oids), and of the sequences in their schemas, that have a name, a column, a type, a
 * constraint or a trigger with such text: a statement with that name would find nothing, or another object.
 */
export async function readLossyNames (tx: Transaction, relations: string[], encoding: string): Promise<string[]> {
  const rows = await tx.query<{ name: string }>(`
    WITH relation AS (SELECT oid, relnamespace FROM pg_class WHERE oid = ANY ($1::oid[])),
    spelling AS (
      SELECT c.relname AS name, ${encoded(`concat_ws(' ', n.nspname, c.relname,
        (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod)), ' ')
          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
        (SELECT string_agg(concat_ws(' ', con.conname, pg_get_constraintdef(con.oid),
            obj_description(con.oid, 'pg_constraint')), ' ')
          FROM pg_constraint con WHERE con.conrelid = c.oid),
        (SELECT string_agg(t.tgname, ' ') FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal))`,
    encoding)} AS bytes
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.oid IN (SELECT oid FROM relation)
        OR (c.relkind = 'S' AND c.relnamespace IN (SELECT relnamespace FROM relation))
    )
    SELECT name FROM spelling WHERE ${isChanged('bytes', encoding)} ORDER BY name`, [`{${relations.join(',')}}`])
  return rows.map(({ name }) => name)
}
