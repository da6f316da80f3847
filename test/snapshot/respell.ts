import type { EncodedColumn } from '../../lib/snapshot/codec/column-encoding.ts'

/** A number below `count`. */
export type Choose = (count: number) => number

/** Returns the same choices for the same seed. */
export function chooser (seed: number): Choose {
  let state = seed
  return (count) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 2 ** 32 * count)
  }
}

/**
 * The same row in another formatting that JSON allows: another order of keys, white space around any token, any
 * character escaped. The inside of a jsonb value does not change, since only the server reads it.
 */
export function respellRow (row: string, columns: EncodedColumn[], choose: Choose): string {
  const embedded = new Set(columns.filter(({ encoding }) => encoding === 'jsonb').map(({ name }) => name))
  const entries = entriesOf(row).map(({ key, value }) => {
    const respelled = embedded.has(JSON.parse(key) as string)
      ? [value.join('')]
      : value.map((token) => respellToken(token, choose))
    return [respellToken(key, choose), ':', ...respelled]
  })
  const tokens = [
    '{',
    ...shuffle(entries, choose).flatMap((entry, index) => (index === 0 ? entry : [',', ...entry])),
    '}'
  ]
  return tokens.map((token) => token + space(choose)).join('')
}

/** The keys of a row without white space, each with the tokens of its value. */
function entriesOf (row: string): Array<{ key: string, value: string[] }> {
  const tokens = row.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^{}[\],:"]+/g) ?? []
  const entries: Array<{ key: string, value: string[] }> = []
  let depth = 0
  for (const [index, token] of tokens.entries()) {
    if (token === '}' || token === ']') depth--
    const isKey = depth === 1 && tokens[index + 1] === ':' && (tokens[index - 1] === ',' || index === 1)
    const isBetween = depth === 0 || (depth === 1 && (token === ':' || token === ','))
    if (isKey) entries.push({ key: token, value: [] })
    else if (!isBetween) entries.at(-1)?.value.push(token)
    if (token === '{' || token === '[') depth++
  }
  return entries
}

function shuffle<T> (items: T[], choose: Choose): T[] {
  const left = [...items]
  return items.flatMap(() => left.splice(choose(left.length), 1))
}

export const space = (choose: Choose): string => ['', '', '', ' ', '\n', '\t', '\r\n', '  \n '][choose(8)] ?? ''

const respellToken = (token: string, choose: Choose): string =>
  token.startsWith('"') ? respellString(JSON.parse(token) as string, choose) : token

function respellString (text: string, choose: Choose): string {
  return `"${[...text].map((character) => {
    const canonical = JSON.stringify(character).slice(1, -1)
    const unicode = Array.from({ length: character.length }, (_, index) =>
      character.charCodeAt(index).toString(16).padStart(4, '0')
    )
    switch (choose(4)) {
      case 0: return unicode.map((hex) => `\\u${hex}`).join('')
      case 1: return unicode.map((hex) => `\\u${hex.toUpperCase()}`).join('')
      default: return character === '/' ? '\\/' : canonical
    }
  }).join('')}"`
}
