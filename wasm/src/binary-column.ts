/**
 * The encoders of COPY BINARY: each writes what the receive function of its type reads (pg_type.typreceive).
 * lib/snapshot/codec/binary-encoders.ts has the same order.
 */
export const enum Encoder {
  boolean, int2, int4, int8, float4, float8, numeric, text, bytea, jsonb, uuid, date, time, timestamp, timestamptz,
  array, interval
}

/** The description of a column, which the host writes into memory. */
@unmanaged
export class BinaryColumn {
  encoder: u8
  /** Of an array: the encoder of its elements. */
  element: u8
  /** Address and size of `,"name":`. */
  key: usize
  keySize: u32
  /** Of an array: the OID of the type of its elements, in network byte order. */
  elementType: u32
}
