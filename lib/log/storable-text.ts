import { escapeNonAscii, isAscii } from '../postgres/ascii.ts'
import { isUntranslatable } from '../postgres/database-error.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'

/**
 * Text that the database can store. Its encoding may lack characters of a note, of a name in a file or of an error; a
 * run must be recorded all the same.
 */
export interface StorableText {
  /** The text. If the database cannot store it, all characters that are not in ASCII are escaped: `\u65e5`. */
  toStorable: <T extends string | null>(text: T) => Promise<T | string>
  /** JSON for the type jsonb, with such text in its strings. */
  toStorableJson: (value: object) => Promise<string>
  /** Those of these names that the database can contain. */
  possibleNames: (names: string[]) => Promise<string[]>
}

export function createStorableText (
  transact: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>
): StorableText {
  /** Only the server knows what its encoding contains. */
  async function isPossible (text: string): Promise<boolean> {
    if (isAscii(text)) return true
    if (text.includes('\0')) return false
    return await transact(async (tx) => {
      return await tx.savepoint(async (inner) => await inner.query('SELECT $1::text AS text', [text]))
        .then(() => true, (error: unknown) => {
          if (!isUntranslatable(error)) throw error
          return false
        })
    })
  }

  return {
    toStorable: async (text) => text === null || await isPossible(text) ? text : escapeNonAscii(text),
    async toStorableJson (value) {
      const json = withoutRefusedEscapes(JSON.stringify(value))
      return await isPossible(json) ? json : escapeNonAscii(json, '\\\\u')
    },
    async possibleNames (names) {
      if (await isPossible(names.join(''))) return names
      const possible: string[] = []
      for (const name of names) if (await isPossible(name)) possible.push(name)
      return possible
    }
  }
}

/** The type jsonb refuses NUL and surrogates without a pair (manual, 8.14.1). They become the text of the escape. */
const withoutRefusedEscapes = (json: string): string => json.replaceAll(
  /\\\\|\\u(?:0000|d[89a-f][0-9a-f]{2})/g, (escape) => escape === '\\\\' ? escape : `\\${escape}`
)
