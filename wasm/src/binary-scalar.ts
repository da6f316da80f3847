import { Format } from './binary-column'
import { encodeBoolean, encodeFloat4, encodeFloat8, encodeInt2, encodeInt4, encodeInt8 } from './binary-numbers'
import { encodeNumeric } from './binary-numeric'
import { encodeInterval } from './binary-interval'
import { encodeBytea, encodeJsonb, encodeText, encodeUuid } from './binary-strings'
import { encodeDate, encodeTime, encodeTimestamp } from './binary-times'
import { refuse } from './binary-value'

/** Encodes a value that is no array. */
export function encodeScalar (format: Format, from: usize): usize {
  switch (format) {
    case Format.boolean: return encodeBoolean(from)
    case Format.int2: return encodeInt2(from)
    case Format.int4: return encodeInt4(from)
    case Format.int8: return encodeInt8(from)
    case Format.float4: return encodeFloat4(from)
    case Format.float8: return encodeFloat8(from)
    case Format.numeric: return encodeNumeric(from)
    case Format.text: return encodeText(from)
    case Format.bytea: return encodeBytea(from)
    case Format.jsonb: return encodeJsonb(from)
    case Format.uuid: return encodeUuid(from)
    case Format.date: return encodeDate(from)
    case Format.time: return encodeTime(from)
    case Format.timestamp: return encodeTimestamp(from, false)
    case Format.timestamptz: return encodeTimestamp(from, true)
    case Format.interval: return encodeInterval(from)
    default: return refuse()
  }
}
