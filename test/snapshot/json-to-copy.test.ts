import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { EncodedColumn, Encoding } from '../../lib/snapshot/column-encoding.ts'
import { ByteQueue } from '../../lib/snapshot/byte-queue.ts'
import { SnapshotSyntaxError } from '../../lib/snapshot/json-cursor.ts'
import { createJsonToCopy } from '../../lib/snapshot/json-to-copy.ts'
import { lineOf, table } from './arbitrary-table.ts'
import { respellRow } from './respell.ts'
import { column, cursorOver, toCopy, toJson } from './transcode.ts'

/** The COPY field of one value. */
const copy = (encoding: Encoding, json: string, delimiter = ','): string => toCopy([column('c', encoding, delimiter)], `{"c":${json}}`).toString().slice(0, -1)
const columns = [column('id', 'text'), column('age', 'number'), column('ok', 'boolean'), column('tags', 'text[]'), column('profile', 'jsonb')]
const row = '{"id":"1","age":36,"ok":true,"tags":["x"],"profile":{"a": 1}}'
const line = '1\t36\tt\t{x}\t{"a": 1}\n'

t.test('a row is a line of COPY text', async (t) => {
  t.equal(toCopy(columns, row).toString(), line)
})

t.test('a row of a table without columns is an empty line', async (t) => {
  t.equal(toCopy([], '{}').toString(), '\n')
  t.equal(toCopy([], ' { } ').toString().trim(), '')
})
