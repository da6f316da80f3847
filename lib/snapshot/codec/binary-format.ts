/** The file header of COPY BINARY (manual, COPY, "Binary Format"): the signature, no flags, no extension. */
export const fileHeader = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])

export const fileTrailer = Buffer.from([0xff, 0xff])
