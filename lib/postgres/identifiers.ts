/** The name of a table or another relation. */
export interface TableRef { schema: string, name: string }

/** A quoted identifier (PostgreSQL manual, 4.1.1). The server refuses NUL in a name. */
export function quoteIdentifier (name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function qualifiedName (schema: string, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

/** A string constant that means the same for any standard_conforming_strings (manual, 4.1.2.2). */
export function quoteLiteral (text: string): string {
  return text.includes('\\')
    ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`
}

/** A name has 1 to 63 bytes (NAMEDATALEN - 1) and does not contain NUL. */
export function isPossibleName (name: string): boolean {
  return name.length > 0 && Buffer.byteLength(name) <= 63 && !name.includes('\0')
}

/** PostgreSQL reserves schema names that begin with pg_ (manual, 5.10.6). */
export function isSystemSchema (name: string): boolean {
  return name.startsWith('pg_') || name === 'information_schema'
}
