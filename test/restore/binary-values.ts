import { readTables } from '../../lib/postgres/catalog/tables.ts'
import type { Transaction } from '../../lib/postgres/driver/transaction.ts'
import { type BinaryColumn, binaryColumn } from '../../lib/snapshot/codec/binary-encoders.ts'
import { describeColumn, encodedColumn, type EncodedColumn } from '../../lib/snapshot/codec/column-encoding.ts'
import { fileHeader, fileTrailer } from '../../lib/snapshot/codec/binary-format.ts'
import { testSchema } from '../support/database.ts'
import fc from '../support/fast-check.ts'
import { arrayValue, jsonb, orNull, textOf } from '../snapshot/arbitrary-table.ts'
import { arrayOut } from '../snapshot/copy-text.ts'

/** A type, text forms of its values that the server reads, and those among its own text forms that stay text. */
export interface BinaryType {
  type: string
  values: fc.Arbitrary<string>
  /** For the text form that the server writes. @defaultValue none stays text */
  staysText?: (text: string) => boolean
}

export const typeDefinitions = `
  CREATE TYPE mood AS ENUM ('fine', 'so, so', 'it''s "bad"', '');
  CREATE DOMAIN price AS numeric(6,2) CHECK (VALUE > -1000);
  CREATE DOMAIN prices AS price[];
  CREATE DOMAIN shade AS mood`

const digits = (most: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: most })
const sign = fc.constantFrom('', '-')
const numeric = (whole: number, places: number): fc.Arbitrary<string> =>
  fc.tuple(sign, digits(whole), digits(places)).map(([sign, before, after]) => `${sign}0${before}.${after}0`)
const special = fc.constantFrom('NaN', 'Infinity', '-Infinity')
const pad = (value: number, size = 2): string => String(value).padStart(size, '0')

const year = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 9999 }) }, fc.integer({ min: -4712, max: 20_000 }),
  fc.constantFrom(1, 4, 100, 400, 1582, 1600, 1899, 1900, 1970, 1999, 2000, 2001, 2004, 9999, 10_000)
)
const date = fc.tuple(
  year, fc.integer({ min: 1, max: 12 }), fc.oneof(fc.integer({ min: 1, max: 28 }), fc.constantFrom(1, 27, 28))
).map(([year, month, day]) => year > 0
  ? `${pad(year, 4)}-${pad(month)}-${pad(day)}`
  : `${pad(1 - year, 4)}-${pad(month)}-${pad(day)} BC`)
const endsOfMonths = fc.tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }))
  .map(([year, month]) => `${pad(year, 4)}-${pad(month)}-${new Date(Date.UTC(year + 8000, month, 0)).getUTCDate()}`)
const infinite = fc.constantFrom('infinity', '-infinity')
const micros = fc.oneof(
  fc.integer({ min: 0, max: 86_400_000_000 }), fc.integer({ min: 0, max: 86_400 }).map((seconds) => seconds * 1_000_000)
)
const time = micros.map((micros) => {
  const seconds = Math.floor(micros / 1_000_000)
  const hours = Math.floor(seconds / 3600)
  return `${pad(hours)}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}.${pad(micros % 1_000_000, 6)}`
})
const timestamp = fc.tuple(fc.oneof(date, endsOfMonths), time).map(([date, time]) =>
  date.replace(/( BC)?$/, ` ${time}$1`))
const zone = fc.oneof(fc.constantFrom('+00', '-03:30', '+05:45', '+00:19:32', '-15:59:59'), sign.chain((sign) =>
  fc.integer({ min: 0, max: 15 }).map((hours) => `${sign || '+'}${pad(hours)}`)))
const timestamptz = fc.tuple(timestamp, zone).map(([text, zone]) => text.replace(/( BC)?$/, `${zone}$1`))
const int = (bits: number): fc.Arbitrary<string> => {
  const limit = 2n ** BigInt(bits - 1)
  return fc.oneof(fc.bigInt({ min: -limit, max: limit - 1n }), fc.bigInt({ min: -12n, max: 1200n }),
    fc.constantFrom(-limit, limit - 1n, 1n - limit)).map(String)
}
const interval = fc.tuple(
  fc.integer({ min: -200_000, max: 200_000 }).map((years) => `${years} years`),
  fc.integer({ min: -3000, max: 3000 }).map((months) => `${months} mons`),
  int(32).map((days) => `${days} days`),
  fc.tuple(sign, fc.constantFrom('', '200000'), time).map((parts) => parts.join(''))
).chain((parts) => fc.subarray(parts, { minLength: 1 })).map((parts) => parts.join(' '))
const isFarYear = (text: string): boolean => !/^(\d{4}-[^B]*|-?infinity)$/.test(text)

const float8 = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }), fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.integer({ min: -1_000_000, max: 1_000_000 }).map((cents) => cents / 100),
  fc.constantFrom(-0, 5e-324, 1.7976931348623157e308, 2 ** 53, 2 ** 53 + 2, 1e22, 1e23, 2 ** 53 + 4)
).map((value) => Object.is(value, -0) ? '-0' : String(value))
const float4 = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }), fc.float({ min: -1000, max: 1000, noNaN: true }),
  fc.constantFrom(16777216, 16777217, 3.4028234663852886e38, 1.1754943508222875e-38, 1e-45)
).map((value) => Object.is(value, -0) ? '-0' : String(value))
/** Less than the smallest normal number: it has fewer digits than others. */
const isSubnormal = (text: string): boolean => Number(text) !== 0 && Math.abs(Number(text)) < 1.1754943508222875e-38

const text = (most: number): fc.Arbitrary<string> =>
  fc.oneof(textOf(), fc.string({ unit: 'binary', maxLength: most }).map((text) => text.replaceAll('\0', '')))
    .map((text) => Array.from(Buffer.from(text).toString()).slice(0, most).join(''))
const hex = (least: number, most = least): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((bytes) => Buffer.from(bytes).toString('hex'))
const mood = fc.constantFrom('fine', 'so, so', 'it\'s "bad"', '')

const scalars: BinaryType[] = [
  { type: 'bool', values: fc.constantFrom('t', 'f') },
  { type: 'int2', values: int(16) },
  { type: 'int4', values: int(32) },
  { type: 'int8', values: int(64) },
  { type: 'float4', values: fc.oneof({ weight: 9, arbitrary: float4 }, special), staysText: isSubnormal },
  { type: 'float8', values: fc.oneof({ weight: 9, arbitrary: float8 }, special) },
  {
    type: 'numeric',
    values: fc.oneof({ weight: 9, arbitrary: fc.oneof(numeric(3, 3), numeric(30, 30), numeric(150, 150)) }, special),
    staysText: (text) => text.replaceAll(/[-.]/g, '').length > 180
  },
  { type: 'numeric(10,3)', values: fc.oneof({ weight: 9, arbitrary: numeric(6, 4) }, fc.constant('NaN')) },
  { type: 'numeric(5,-2)', values: numeric(6, 1) },
  { type: 'price', values: numeric(2, 3) },
  { type: 'text', values: text(200) },
  { type: 'varchar(12)', values: text(12) },
  { type: 'char(7)', values: text(7) },
  { type: 'json', values: jsonb },
  { type: 'jsonb', values: jsonb },
  { type: 'mood', values: mood },
  { type: 'shade', values: mood },
  { type: 'bytea', values: fc.oneof(hex(0, 70), hex(16), hex(32)).map((text) => `\\x${text}`) },
  { type: 'uuid', values: fc.uuid() },
  {
    type: 'date',
    values: fc.oneof({ weight: 9, arbitrary: fc.oneof(date, endsOfMonths) }, infinite),
    staysText: isFarYear
  },
  { type: 'time', values: time, staysText: (text) => text === '24:00:00' },
  { type: 'time(2)', values: time, staysText: (text) => text === '24:00:00' },
  ...['interval', 'interval(2)', 'interval day to minute'].map((type) => ({ type, values: interval })),
  ...['timestamp', 'timestamp(0)'].map((type) => ({
    type, values: fc.oneof({ weight: 9, arbitrary: timestamp }, infinite), staysText: isFarYear
  })),
  ...['timestamptz', 'timestamptz(3)'].map((type) => ({
    type, values: fc.oneof({ weight: 9, arbitrary: timestamptz }, infinite), staysText: isFarYear
  }))
]

/** Arrays of one to three dimensions, some with other lower bounds than 1, which stay text. */
function arrayOf ({ type, values, staysText }: BinaryType): BinaryType {
  const array = arrayValue(orNull(values)).map((value) => arrayOut(value))
  const shifted = fc.array(orNull(values), { minLength: 1, maxLength: 3 })
    .map((value) => `[0:${value.length - 1}]=${arrayOut(value)}`)
  return {
    type: `${type}[]`,
    values: fc.oneof({ weight: 9, arbitrary: array }, shifted),
    // Of an element it is known only in the form that the server writes
    staysText: (text) => text.startsWith('[') || (staysText !== undefined && text.split(/[{},]/).some((element) =>
      element !== '' && element !== 'NULL' && staysText(element.replaceAll('"', ''))))
  }
}

export const binaryTypes: BinaryType[] = [
  ...scalars,
  ...scalars.filter(({ type }) => !type.startsWith('json')).map(arrayOf),
  { type: 'prices', values: fc.array(numeric(2, 3)).map((value) => arrayOut(value)) }
]

/** Values are written as in a backup. */
export const outputSettings = `SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex';
  SET LOCAL extra_float_digits = 3; SET LOCAL intervalstyle = 'postgres'`

/** The columns of a table, as a backup and a restore describe them. */
export async function columnsOf (
  tx: Transaction, table: string
): Promise<{ encoded: EncodedColumn[], binary: Array<BinaryColumn | undefined> }> {
  const found = (await readTables(tx, testSchema)).find(({ name }) => name === table)
  if (found === undefined) throw new Error(`there is no table ${table}`)
  return {
    encoded: found.columns.map((column) => encodedColumn(describeColumn(column))),
    binary: found.columns.map(binaryColumn)
  }
}

/** Loads rows in a COPY of their own; resolves with the SQLSTATE of the error, or undefined. */
export async function load (
  tx: Transaction, table: string, rows: Buffer[], format: 'text' | 'binary'
): Promise<unknown> {
  try {
    await tx.savepoint(async (inner) => {
      const copy = await inner.copyIn(`COPY ${table} FROM STDIN (FORMAT ${format})`)
      if (format === 'binary') await copy.write(fileHeader)
      await copy.write(Buffer.concat(rows))
      if (format === 'binary') await copy.write(fileTrailer)
      await copy.end()
    })
    return undefined
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}
