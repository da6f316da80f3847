// npm run --silent build:lib && node bench/transcoders.js [MB]
//
// Compares the transcoders of COPY text to JSON, and those of JSON to COPY text and to COPY BINARY, in nanoseconds for
// each byte of what they read, in chunks of 64 kB. Left, COPY text to JSON: in TypeScript, in WebAssembly from what was
// read from a socket, and from single rows. Right, JSON to COPY: text in TypeScript, text and binary in WebAssembly.
// Each number is the least of five passes over the same rows.

import { deepStrictEqual } from 'node:assert/strict'
import { ByteQueue } from '../dist/lib/snapshot/codec/byte-queue.js'
import { createCopyToJson } from '../dist/lib/snapshot/codec/copy-to-json.js'
import { JsonCursor } from '../dist/lib/snapshot/codec/json-cursor.js'
import { createJsonToCopy } from '../dist/lib/snapshot/codec/json-to-copy.js'
import { createMessagesToJson } from '../dist/lib/snapshot/codec/messages-to-json.js'
import { createRowsToBinary } from '../dist/lib/snapshot/codec/rows-to-binary.js'
import { createRowsToCopy } from '../dist/lib/snapshot/codec/rows-to-copy.js'

/**
 * @import { BinaryColumn } from '../lib/snapshot/codec/binary-encoders.ts'
 * @import { EncodedColumn, Encoding } from '../lib/snapshot/codec/column-encoding.ts'
 */

const size = Number(process.argv[2] ?? 20) * 1e6
const chunkSize = 64 * 1024
const passes = 5
const headerSize = 5

/**
 * `encoders` where they do not follow from the encodings.
 * @type {Record<string, {
 *   encodings: Encoding[], encoders?: Record<number, BinaryColumn['encoder']>, row: (i: number) => string
 * }>}
 */
const shapes = {
  'narrow rows': {
    encodings: ['text', 'number', 'number', 'number', 'text'],
    row: (i) => `${i}\t${i % 1000}\t${i % 100}\t${i % 100000 - 50000}\t`
  },
  'mixed rows': {
    encodings: ['text', 'number', 'text', 'text', 'boolean', 'text[]', 'jsonb', 'number', 'text'],
    encoders: { 2: 'timestamptz', 3: 'numeric', 7: 'float8' },
    row: (i) => `${hex(i, 8)}-${hex(i, 4)}-${hex(i, 12)}\t${i % 1000}\t2024-01-01 00:${i % 50 + 10}:00.123456+00\t` +
      `${i % 10 === 0 ? '\\N' : `${i}.0001`}\tt\t{"label ${i % 50}","a \\\\"quoted\\\\" one",plain}\t` +
      `{"items": [${i % 7}, null], "address": {"zip": ${i % 90000}, "city": "Köln"}, "customer": "C${i}"}\t` +
      `${Math.sqrt(i)}\tDelivered to "${hex(i, 32)}"`
  },
  'large texts': {
    encodings: ['text', 'text'],
    row: (i) => `${i}\t${`${hex(i, 32)} — "it's naïve"\\t東京\\n`.repeat(100)}`
  },
  'short texts': { encodings: Array(6).fill('text'), row: (i) => Array(6).fill(`text ${i}`).join('\t') },
  'many escapes': { encodings: ['text'], row: (i) => `a\\\\b"c\\nd"${i}\\te`.repeat(20) },
  'four integers': { encodings: Array(4).fill('number'), row: (i) => `${i % 10}\t${i}\t${-i}\t7` },
  arrays: {
    encodings: ['text[]', 'number[]'],
    row: (i) => `{plain,"label ${i}",NULL,"a \\\\"b\\\\""}\t{${i},-2,3.5,NULL,${i % 9}}`
  },
  jsonb: {
    encodings: ['jsonb'],
    row: (i) => `{"a": [${i}, 2, {"b": "a \\\\"c\\\\" ${hex(i, 32)}"}], "k": "${hex(i, 64)}"}`
  },
  'texts of 1.3 MB': { encodings: ['text'], row: (i) => hex(i, 32).repeat(40_000) },
  bytea: {
    encodings: ['text', 'text'],
    encoders: { 1: 'bytea' },
    row: (i) => `${i}\t\\\\x${hex(i, 64).repeat(1000)}`
  }
}

/**
 * @param {number} i
 * @param {number} length
 */
function hex (i, length) {
  return (i * 2654435761 % 2 ** 32).toString(16).padStart(8, '0').repeat(Math.ceil(length / 8)).slice(0, length)
}

/** @param {(i: number) => string} row */
function createMessages (row) {
  const parts = []
  for (let i = 1, length = 0; length < size; i++) {
    const line = Buffer.from(`${row(i)}\n`)
    const header = Buffer.alloc(headerSize, 'd')
    header.writeUInt32BE(line.length + 4, 1)
    parts.push(header, line)
    length += line.length
  }
  return Buffer.concat(parts)
}

/**
 * The least time of a call, in nanoseconds.
 * @param {() => void} pass
 */
function leastTime (pass) {
  let least = Infinity
  for (let index = 0; index < passes; index++) {
    const start = process.hrtime.bigint()
    pass()
    least = Math.min(least, Number(process.hrtime.bigint() - start))
  }
  return least
}

/** @param {ByteQueue} out */
function drop (out) {
  if (out.full) out.giveBack(out.take())
}

/**
 * Nanoseconds for each byte of a list of rows, behind its opening bracket; undefined if the rows are refused.
 * @param {EncodedColumn[]} columns
 * @param {BinaryColumn[]} binaryColumns
 * @param {Buffer} list
 */
function timesOfReading (columns, binaryColumns, list) {
  const targets = columns.map((column) => ({ ...column, skip: false }))
  const out = new ByteQueue()
  const transcode = createJsonToCopy(targets)
  const rows = createRowsToCopy()
  const binary = createRowsToBinary()
  if (rows === undefined || binary === undefined) throw new Error('this Node.js has no WebAssembly with SIMD')
  const cursor = new JsonCursor()
  let isRefused = false
  /**
   * @param {() => boolean} read returns false when it needs more bytes
   * @param {number} end
   */
  const eachChunk = (read, end) => {
    cursor.bytes = Buffer.alloc(0)
    cursor.position = 0
    for (let position = 0; position < end; position += chunkSize) {
      const chunk = list.subarray(position, Math.min(end, position + chunkSize))
      cursor.bytes = Buffer.concat([cursor.bytes.subarray(cursor.position), chunk])
      cursor.position = 0
      cursor.end = cursor.bytes.length
      while (read()) out.giveBack(out.take())
    }
  }
  return [
    leastTime(() => {
      eachChunk(() => {
        while (!out.full) {
          const { position } = cursor
          cursor.skipSpace()
          if (!transcode(cursor, out) || cursor.position === cursor.end) {
            cursor.position = position
            return false
          }
          cursor.position++
        }
        return true
      }, list.lastIndexOf('\n'))
    }),
    leastTime(() => {
      rows.startTable(targets, Infinity)
      eachChunk(() => rows.take(cursor, out) === 'full', list.length)
    }),
    leastTime(() => {
      binary.startTable(binaryColumns, Infinity)
      eachChunk(() => {
        const stopped = binary.take(cursor, out)
        isRefused ||= stopped === 'refused'
        return stopped === 'full'
      }, isRefused ? 0 : list.length)
    })
  ].map((time, index) => index === 2 && isRefused ? undefined : time / list.length)
}

/** @type {Record<Encoding, Omit<BinaryColumn, 'name'>>} */
const encoderOf = {
  text: { encoder: 'text' },
  number: { encoder: 'int4' },
  boolean: { encoder: 'boolean' },
  jsonb: { encoder: 'jsonb' },
  'text[]': { encoder: 'array', element: { encoder: 'text', oid: 25 } },
  'number[]': { encoder: 'array', element: { encoder: 'float8', oid: 701 } },
  'boolean[]': { encoder: 'array', element: { encoder: 'boolean', oid: 16 } }
}

console.log('ns/byte           TypeScript  messages      rows | TypeScript      text    binary')
for (const [name, { encodings, encoders, row }] of Object.entries(shapes)) {
  const columns = encodings.map((encoding, index) => ({ name: `column_${index}`, encoding, delimiter: ',' }))
  const bytes = createMessages(row)
  const out = new ByteQueue()
  const transcode = createCopyToJson(columns)
  const messages = createMessagesToJson()
  if (messages === undefined) throw new Error('this Node.js has no WebAssembly with SIMD')

  /** @param {(start: number, end: number, out: ByteQueue) => void} take */
  const eachRow = (take) => {
    for (let position = 0; position < bytes.length;) {
      const end = position + 1 + bytes.readUInt32BE(position + 1)
      take(position + headerSize, end, out)
      drop(out)
      position = end
    }
  }
  const passesOf = {
    typescript: () => { eachRow((start, end) => { transcode(bytes, start, end, out) }) },
    messages () {
      messages.startTable(columns)
      for (let position = 0; position < bytes.length;) {
        position = messages.takeMessages(bytes, position, Math.min(position + chunkSize, bytes.length), out)
        drop(out)
      }
    },
    rows () {
      messages.startTable(columns)
      eachRow((start, end) => { messages.takeRow(bytes, start, end, out) })
      messages.flush(out)
    }
  }
  let rows = 0
  eachRow(() => { rows++ })
  const text = bytes.length - rows * headerSize
  const times = Object.values(passesOf).map((pass) => leastTime(pass) / text)
  deepStrictEqual(messages.rows, rows)
  messages.startTable(columns)
  const json = new ByteQueue()
  messages.takeMessages(bytes, 0, bytes.length, json)
  const list = Buffer.concat([...json.take(), Buffer.from('\n]')])
  const binaryColumns = encodings.map((encoding, index) => ({
    name: `column_${index}`, ...encoderOf[encoding], ...encoders?.[index] && { encoder: encoders[index] }
  }))
  const cells = [...times, ...timesOfReading(columns, binaryColumns, list)]
    .map((time) => (time?.toFixed(2) ?? '–').padStart(10))
  console.log(name.padEnd(18) + cells.slice(0, 3).join('') + ' | ' + cells.slice(3).join(''))
}
