/** A table, or another relation, by its name. */
export interface TableRef { schema: string, name: string }

/** A quoted identifier (PostgreSQL manual, 4.1.1). NUL can't be in one: the server refuses it. */
export function quoteIdentifier (name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function qualifiedName (schema: string, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

/** A string constant that standard_conforming_strings does not change (manual, 4.1.2.2). */
export function quoteLiteral (text: string): string {
  return text.includes('\\')
    ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`
}

/** Names are at most 63 bytes (NAMEDATALEN - 1), and none is empty or holds NUL. */
export function isPossibleName (name: string): boolean {
  return name.length > 0 && Buffer.byteLength(name) <= 63 && !name.includes('\0')
}
