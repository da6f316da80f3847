import t from 'tap'
import { useDatabase } from '../support/database.ts'

t.test('no other character of Unicode up to U+FFFF is stored as another one', async (t) => {
  const { sql } = await useDatabase(t)
  await sql.unsafe(`CREATE TABLE changed (encoding text, code int); DO $$ DECLARE utf8 bytea; BEGIN
    FOR encoding IN 1..3 LOOP FOR code IN 128..65535 LOOP
      CONTINUE WHEN code BETWEEN 55296 AND 57343;
      BEGIN
        utf8 := convert_to(chr(code), 'UTF8');
        INSERT INTO changed SELECT name, code
          FROM (SELECT (ARRAY['EUC_JP', 'EUC_TW', 'EUC_JIS_2004'])[encoding] AS name) s
          WHERE convert(convert(utf8, 'UTF8', name::name), name::name, 'UTF8') <> utf8;
      EXCEPTION WHEN untranslatable_character OR character_not_in_repertoire THEN
      END;
    END LOOP; END LOOP; END $$`)
  t.same(await sql`SELECT * FROM changed`, [{ encoding: 'EUC_JP', code: 0xa6 }])
})

t.test('all other encodings return every character unchanged', async (t) => {
  const { sql } = await useDatabase(t)
  await sql.unsafe(`CREATE FUNCTION comes_back (bytes bytea, encoding name) RETURNS bool LANGUAGE plpgsql AS $$
    DECLARE utf8 bytea;
    BEGIN
      BEGIN utf8 := convert(bytes, encoding, 'UTF8');
      EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN RETURN true; END;
      RETURN convert(utf8, 'UTF8', encoding) = bytes;
    END $$`)
  const changed = await sql`
    WITH encoding AS (SELECT pg_encoding_to_char(i) AS name FROM generate_series(0, 34) i
      WHERE pg_encoding_to_char(i) NOT IN ('UTF8', 'SQL_ASCII', 'MULE_INTERNAL')),
    high AS (SELECT set_byte('\\x00', 0, i) AS byte FROM generate_series(128, 255) i),
    character AS (SELECT byte AS bytes FROM high UNION ALL SELECT a.byte || b.byte FROM high a, high b)
    SELECT DISTINCT name FROM encoding, character
      WHERE (length(bytes) = 1 OR name LIKE 'EUC%') AND NOT comes_back(bytes, name)`
  t.strictSame(changed.map(({ name }) => name), ['EUC_JP'])
})
