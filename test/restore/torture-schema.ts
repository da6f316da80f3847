import type { Sql } from 'postgres'
import { quoteIdentifier } from '../../lib/postgres/identifiers.ts'
import { testSchema } from '../support/database.ts'

/** 63 bytes of Unicode, the maximum length of a name. */
export const longestName = `日本語 ñandú 🦤 ${'ß'.repeat(20)}`

/** Tables that a restore of this schema does not change, and that refer to restored tables. */
export const excludedTables = ['audit_logs', 'audit_by_part']
/** The excluded tables with their partitions, and the sequences that no restored table uses. */
export const keptRelations = [...excludedTables, 'audit_by_part_1', 'audit_logs_id_seq', 'free_seq']

const types = String.raw`
  CREATE TYPE mood AS ENUM ('fine', 'so, so', 'it''s "bad"', '');
  CREATE TYPE spot AS (x int, y numeric, "the z" text);
  CREATE TYPE nested AS (s spot, list text[]);
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE DOMAIN small AS positive DEFAULT 7 NOT NULL CHECK (VALUE < 1000);
  CREATE DOMAIN labels AS text[];
  CREATE TYPE span AS RANGE (subtype = float8);
  CREATE TABLE numbers (b boolean, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, cash money);
  INSERT INTO numbers VALUES (true, -32768, 2147483647, -9223372036854775808, 'NaN', '-0', 'NaN', -1.5),
    (NULL, 0, NULL, 9223372036854775807, '-Infinity', 5e-324, '123456789012345678901234567890.1000', NULL);
  CREATE TABLE extremes (n numeric, s numeric(10,4), f4 float4, f8 float8);
  INSERT INTO extremes VALUES (repeat('1234567890', 100)::numeric, 1.5, '3.4028235e38', '1.7976931348623157e308'),
    (('-0.' || repeat('0123456789', 100))::numeric, 0, '1e-45', '-2.2250738585072014e-308'),
    ('Infinity', -99999.9999, '-Infinity', 'Infinity'), ('-Infinity', NULL, 0.1, 0.1);
  CREATE TABLE times (d date, ts timestamp, tz timestamptz, t time, tt timetz, i interval);
  INSERT INTO times VALUES ('-infinity', '294276-12-31 23:59:59.999999', '0044-03-15 00:00:00.5 BC', '24:00',
    '23:59:59.5+15:59', '-1 year 2 days -00:00:00.000001'),
    ('4713-01-01 BC', 'infinity', '2021-07-01 12:00+02', '00:00', '00:00-15:59', NULL);
  CREATE TABLE texts (t text, c char(5), v varchar(9), b bytea, x xml, bits bit(3), more varbit, "char" "char", n name);
  INSERT INTO texts VALUES (E'\\N\t\n\r\b\f\v\\.\x01\x1f\x7f\u2028\U0001F9A4"''', 'a', 'é', '\x00ff5c', '<a>&lt;</a>',
    '101', '', 'z', 'n'), ('', '', '', '', '', NULL, NULL, '', ''),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), ('null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
  CREATE TABLE documents (j json, jb jsonb);
  INSERT INTO documents VALUES (E'  {"b" : 1e400,\n"a":1, "a": "\\u0000"}',
    '{"b": 100000000000000000000000000001, "a": 1e-5}'), ('null', 'null'), (NULL, NULL), ('"x"', '"\\ \" \n"'),
    ((repeat('[', 3000) || repeat(']', 3000))::json, (repeat('{"a":', 1000) || '1' || repeat('}', 1000))::jsonb),
    ('{"__proto__": {"constructor": "\ud83e\udda4"}}', '{"__proto__": null, "": [1, "\u2028", 1.10, -0.0, 1e400]}');
  CREATE TABLE composed (m mood, ms mood[], s spot, n nested, p positive, sm small, l labels, r int4range, sp span,
    mr nummultirange);
  INSERT INTO composed VALUES ('it''s "bad"', ARRAY['', NULL, 'so, so']::mood[], '(1,,"a ""quoted"" \\ one")',
    ROW('(,1.50,)', ARRAY['x', NULL]), 1, 1, '{a,NULL,"NULL"}', 'empty', '[1e-300,Infinity)', '{(,1),[5,5]}'),
    ('', '{}', '(,,)', NULL, NULL, DEFAULT, '{}', '[1,2)', 'empty', '{}');
  CREATE TABLE lists (m mood[], s spot[], r int4range[], p positive[], mr nummultirange[], three int[], c char(3)[],
    iv interval[], by bytea[], u uuid[], lb labels[]);
  INSERT INTO lists VALUES (ARRAY['it''s "bad"', '']::mood[], ARRAY['(1,2,"x, y")', NULL, '(,,)']::spot[],
    ARRAY['[1,5)', 'empty']::int4range[], '{1,NULL}', ARRAY['{[1,2),[3,4)}']::nummultirange[],
      '{{{1,2},{3,4}},{{5,6},{7,NULL}}}', '{a,"b c"}', '{"-1 day",NULL}', ARRAY['\x00ff'::bytea, ''],
        '{00000000-0000-0000-0000-000000000000}', ARRAY['{a,b}', NULL]::labels[]),
    ('{}', '{}', '{}', '{}', '{}', '[2:3][0:1][1:1]={{{1},{2}},{{3},{4}}}', '{}', '{}', '{}', NULL, NULL);
  CREATE TABLE arrays (i int[], t text[][], jb jsonb[], j json[], bx box[], v int2vector, o oidvector, f float8[],
    b bool[], d date[]);
  INSERT INTO arrays VALUES ('[-1:0]={1,NULL}', '{{a,b},{"","\\"}}', ARRAY[NULL, 'null', '{}']::jsonb[],
    ARRAY[NULL, 'null']::json[], '{(1,1),(0,0);(2,2),(1,1)}', '1 2', '3', '{NaN,-0}', '{t,NULL}', '{infinity}'),
    ('{}', '{"NULL",NULL,"a\"b"}', '{}', '{}', '{}', '', '', NULL, '{}', '{}');
  CREATE TABLE others (u uuid, ip inet, net cidr, mac macaddr8, lsn pg_lsn, pt point, pg polygon, tsv tsvector,
    q tsquery, r regclass, xid8 xid8);
  INSERT INTO others VALUES ('00000000-0000-0000-0000-000000000000', '::1/128', '10.0.0.0/8', '01:02:03:04:05:06:07:08',
    '16/B374D848', '(1,-0)', '((0,0),(1,1),(1,0))', '''a'':1A b', 'a & !b', 'numbers', '1');
  CREATE TABLE a_row_in_a_column (who numbers, t int, x int, "data" int, "1" int);
  INSERT INTO a_row_in_a_column SELECT numbers, 1, 2, 3, 4 FROM numbers;`

const names = String.raw`
  CREATE TABLE "a""b" (id int PRIMARY KEY, "c""d" text); INSERT INTO "a""b" VALUES (1, 'x');
  CREATE TABLE "../x" ("$1" int, "select" text); INSERT INTO "../x" VALUES (1, 'y');
  CREATE TABLE "__proto__" ("__proto__" int, "constructor" int, "hasOwnProperty" int);
  INSERT INTO "__proto__" VALUES (1, 2, 3);
  CREATE TABLE "select" ("from" int, manifest text, "data" text); INSERT INTO "select" VALUES (1, 'm', 'd');
  CREATE TABLE "Users" (id int PRIMARY KEY); INSERT INTO "Users" VALUES (1), (2);
  CREATE TABLE users (id int PRIMARY KEY, "Name" text, name text); INSERT INTO users VALUES (1, 'A', 'a');
  CREATE TABLE "manifest" ("ünïcode 日本" text); INSERT INTO "manifest" VALUES ('日');
  CREATE TABLE "data" ("a.b" int); INSERT INTO "data" VALUES (1);
  CREATE TABLE "${longestName}" ("${longestName}" int); INSERT INTO "${longestName}" VALUES (1);
  CREATE TABLE "back\slash" ("a tab${'\t'}and a
line" text, "quote'" text); INSERT INTO "back\slash" VALUES ('\', '''');
  CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
  CREATE TABLE "Case" (a int); CREATE TABLE "case" (b int);
  INSERT INTO "Case" VALUES (1); INSERT INTO "case" VALUES (2);
  DO $$ BEGIN EXECUTE (SELECT format('CREATE TABLE widest (%s)', string_agg(format('c%s int', i), ', ' ORDER BY i))
    FROM generate_series(1, 1600) i); END $$;
  INSERT INTO widest (c1, c800, c1600) VALUES (1, 800, 1600), (NULL, NULL, NULL);
  CREATE TABLE dropped_columns (a int, b text, c int); INSERT INTO dropped_columns VALUES (1, 'b', 3);
  ALTER TABLE dropped_columns DROP COLUMN b; ALTER TABLE dropped_columns ADD COLUMN b int DEFAULT 5;
  INSERT INTO dropped_columns VALUES (2, 4, NULL);`

const sequences = `
  CREATE TABLE identities (a int GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 3), b text,
    twice int GENERATED ALWAYS AS (a * 2) STORED);
  INSERT INTO identities (b) SELECT 'row ' || i FROM generate_series(1, 3) i;
  CREATE TABLE defaults (a int GENERATED BY DEFAULT AS IDENTITY, s serial, big bigserial);
  INSERT INTO defaults DEFAULT VALUES;
  CREATE SEQUENCE shared_seq; CREATE SEQUENCE down_seq INCREMENT -2 MINVALUE -100 MAXVALUE 10 START 10 CYCLE;
  CREATE SEQUENCE free_seq START 42; CREATE SEQUENCE untouched_seq;
  CREATE TABLE shares_one (a int DEFAULT nextval('shared_seq'), b int DEFAULT nextval('down_seq'));
  INSERT INTO shares_one DEFAULT VALUES; INSERT INTO shares_one DEFAULT VALUES;
  CREATE TABLE shares_two (a int DEFAULT nextval('shared_seq'), u int DEFAULT nextval('untouched_seq'));
  INSERT INTO shares_two (a, u) VALUES (DEFAULT, 0); SELECT nextval('free_seq');`

const partitions = `
  CREATE SCHEMA elsewhere;
  CREATE TABLE measured (region text, taken date, value int, id bigint GENERATED BY DEFAULT AS IDENTITY,
    note text DEFAULT 'n', UNIQUE (region, taken, id)) PARTITION BY LIST (region);
  CREATE TABLE measured_eu PARTITION OF measured FOR VALUES IN ('eu') PARTITION BY RANGE (taken);
  CREATE TABLE measured_eu_old PARTITION OF measured_eu FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
  CREATE TABLE elsewhere.measured_eu_new PARTITION OF measured_eu FOR VALUES FROM ('2020-01-01') TO (MAXVALUE);
  CREATE TABLE other_order (note text DEFAULT 'o', gone int, id bigint NOT NULL, value int, taken date, region text,
    UNIQUE (region, taken, id));
  ALTER TABLE other_order DROP COLUMN gone; ALTER TABLE measured ATTACH PARTITION other_order
    FOR VALUES IN ('us', NULL);
  CREATE TABLE measured_rest PARTITION OF measured DEFAULT;
  INSERT INTO measured (region, taken, value) VALUES ('eu', '2019-05-05', 1), ('eu', '2021-05-05', 2),
    ('us', '2021-05-05', 3), (NULL, '2021-05-05', 3), ('xx', '2000-01-01', 4);
  CREATE TABLE hashed (k int, v text) PARTITION BY HASH (k);
  CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  INSERT INTO hashed SELECT i, 'v' || i FROM generate_series(1, 9) i;
  CREATE TABLE no_partitions (a int) PARTITION BY LIST (a);
  CREATE TABLE creature (name text PRIMARY KEY, legs int); CREATE TABLE dog (breed text) INHERITS (creature);
  CREATE TABLE puppy (age int) INHERITS (dog);
  INSERT INTO creature VALUES ('snake', 0); INSERT INTO dog VALUES ('Rex', 4, 'collie');
  INSERT INTO puppy VALUES ('Bo', 4, 'pug', 1);`

const keys = String.raw`
  CREATE TABLE audit_logs (id serial PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE,
    other_id int REFERENCES "Users" ON DELETE SET NULL, entry text,
    strict_id int REFERENCES users ON DELETE RESTRICT,
    lax_id int REFERENCES users ON UPDATE CASCADE ON DELETE SET DEFAULT);
  INSERT INTO audit_logs (user_id, other_id, entry, strict_id, lax_id) VALUES (1, 1, 'a', 1, 1),
    (NULL, 2, 'b', NULL, 1);
  CREATE TABLE team (id int PRIMARY KEY, lead int);
  CREATE TABLE member (id int PRIMARY KEY, team int REFERENCES team ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    boss int CONSTRAINT "the ""boss""" REFERENCES member ON UPDATE SET NULL);
  INSERT INTO team VALUES (1, 1), (2, NULL); INSERT INTO member VALUES (1, 1, 1), (2, 1, 1), (3, 2, 2);
  ALTER TABLE team ADD CONSTRAINT team_lead FOREIGN KEY (lead) REFERENCES member DEFERRABLE;
  COMMENT ON CONSTRAINT team_lead ON team IS E'it''s a \\ circle';
  CREATE TABLE pair (a int, b text, PRIMARY KEY (b, a)); INSERT INTO pair VALUES (1, 'one');
  CREATE TABLE of_pair (x text, y int, FOREIGN KEY (x, y) REFERENCES pair (b, a) MATCH FULL,
    FOREIGN KEY (x, y) REFERENCES pair (b, a) ON DELETE SET NULL); INSERT INTO of_pair VALUES ('one', 1), (NULL, NULL);
  CREATE TABLE dangling (team int); INSERT INTO dangling VALUES (99), (1);
  ALTER TABLE dangling ADD CONSTRAINT dangling_team FOREIGN KEY (team) REFERENCES team NOT VALID;
  CREATE TABLE visit (id int, region text, taken date, measured bigint,
    FOREIGN KEY (region, taken, measured) REFERENCES measured (region, taken, id));
  INSERT INTO visit SELECT 1, region, taken, id FROM measured;
  CREATE TABLE audit_by_part (k int, member int REFERENCES member) PARTITION BY LIST (k);
  CREATE TABLE audit_by_part_1 PARTITION OF audit_by_part FOR VALUES IN (1); INSERT INTO audit_by_part VALUES (1, 1);`

const constraints = `
  CREATE TABLE checked (a int, b int, CONSTRAINT valid_one CHECK (b > 0)); INSERT INTO checked VALUES (-1, 1), (5, 2);
  ALTER TABLE checked ADD CONSTRAINT "not ""valid""" CHECK (a > 0) NOT VALID;
  COMMENT ON CONSTRAINT "not ""valid""" ON checked IS 'old rows';
  CREATE DOMAIN age AS int; CREATE TABLE aged (a age, list age[]); INSERT INTO aged VALUES (-1, '{-2}');
  ALTER DOMAIN age ADD CONSTRAINT born CHECK (VALUE >= 0) NOT VALID;
  COMMENT ON CONSTRAINT born ON DOMAIN age IS 'from now on';
  CREATE TABLE booked (room int, during int4range, EXCLUDE USING gist (during WITH &&) DEFERRABLE INITIALLY DEFERRED);
  INSERT INTO booked VALUES (1, '[1,2)'), (2, '[2,3)');
  CREATE TABLE positions (place int UNIQUE DEFERRABLE INITIALLY DEFERRED, name text);
  INSERT INTO positions VALUES (1, 'a'), (2, 'b');
  CREATE INDEX lower_name ON positions (lower(name)) WHERE place > 0; COMMENT ON INDEX lower_name IS 'partial';
  ALTER TABLE positions REPLICA IDENTITY FULL;
  CREATE UNLOGGED TABLE unlogged_one (a int); INSERT INTO unlogged_one VALUES (1);
  CREATE TABLE guarded (a int, owner text); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON guarded USING (owner = current_user); INSERT INTO guarded VALUES (1, 'nobody');
  CREATE VIEW seen AS SELECT * FROM users; CREATE MATERIALIZED VIEW material AS SELECT count(*) FROM users;
  GRANT SELECT ON users TO PUBLIC; GRANT UPDATE (name) ON users TO PUBLIC; COMMENT ON TABLE users IS 'people';
  COMMENT ON COLUMN users.name IS 'theirs';`

const triggers = (schema: string): string => `
  CREATE TABLE fires (a int); CREATE TABLE fired (what text);
  CREATE FUNCTION note () RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ${schema}.fired VALUES (TG_NAME);
    RETURN coalesce(NEW, OLD); END $$;
  CREATE TRIGGER "in ""o""" AFTER INSERT ON fires FOR EACH ROW EXECUTE FUNCTION note();
  CREATE TRIGGER in_d AFTER INSERT ON fires EXECUTE FUNCTION note();
  CREATE TRIGGER in_r AFTER INSERT ON fires EXECUTE FUNCTION note();
  CREATE TRIGGER in_a BEFORE INSERT ON fires FOR EACH ROW EXECUTE FUNCTION note();
  CREATE TRIGGER truncates BEFORE TRUNCATE ON fires EXECUTE FUNCTION note();
  CREATE CONSTRAINT TRIGGER later AFTER INSERT ON fires DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION note();
  ALTER TABLE fires DISABLE TRIGGER in_d, ENABLE REPLICA TRIGGER in_r, ENABLE ALWAYS TRIGGER in_a;
  COMMENT ON TRIGGER in_a ON fires IS 'always'; INSERT INTO fires VALUES (1), (2);
  CREATE TRIGGER on_root AFTER INSERT ON measured FOR EACH ROW EXECUTE FUNCTION note();
  CREATE TRIGGER of_leaf BEFORE INSERT ON measured_rest FOR EACH ROW EXECUTE FUNCTION note();
  ALTER TABLE other_order DISABLE TRIGGER on_root; ALTER TABLE ONLY measured_eu ENABLE ALWAYS TRIGGER on_root;
  ALTER TABLE measured_eu_old ENABLE REPLICA TRIGGER on_root;
  CREATE TABLE ruled (a int); INSERT INTO ruled VALUES (1);
  CREATE RULE no_insert AS ON INSERT TO ruled DO INSTEAD NOTHING;
  CREATE RULE no_delete AS ON DELETE TO ruled DO INSTEAD NOTHING;`

/** Types of trusted extensions, which a role with the CREATE privilege on the database can create. */
const extensions = `
  CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION cube; CREATE EXTENSION isn;
  CREATE TABLE extended (h hstore, c citext PRIMARY KEY, l ltree, q lquery, cu cube, isbn isbn, hs hstore[]);
  INSERT INTO extended VALUES ('a=>1, "b c"=>NULL, "\\"q\\""=>"\\\\"', 'MiXed', 'Top.Science', '*.a|b', '(1,2),(3,4)',
    '978-0-393-04002-9', ARRAY['a=>b'::hstore, NULL]), (NULL, '', '', NULL, '(0)', NULL, '{}');`

const only18 = `
  CREATE TABLE virtual (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL); INSERT INTO virtual VALUES (1);
  CREATE TABLE some_null (a int, b int); INSERT INTO some_null VALUES (NULL, 1);
  ALTER TABLE some_null ADD CONSTRAINT not_null_yet NOT NULL a NOT VALID;
  COMMENT ON CONSTRAINT not_null_yet ON some_null IS 'soon';
  CREATE TABLE unenforced (a int CHECK (a > 0) NOT ENFORCED, team int REFERENCES team NOT ENFORCED);
  INSERT INTO unenforced VALUES (-1, 77);
  CREATE EXTENSION btree_gist;
  CREATE TABLE rate (id int4range, valid_at daterange, PRIMARY KEY (id, valid_at WITHOUT OVERLAPS));
  INSERT INTO rate VALUES ('[1,2)', '[2020-01-01,2021-01-01)'), ('[1,2)', '[2021-01-01,2022-01-01)');
  CREATE TABLE uses_rate (id int4range, valid_at daterange,
    FOREIGN KEY (id, PERIOD valid_at) REFERENCES rate (id, PERIOD valid_at));
  INSERT INTO uses_rate VALUES ('[1,2)', '[2020-06-01,2021-06-01)');`

/**
 * Creates tables of every kind in `schema`, which exists. The role is a superuser, or owns the database.
 * @param version major version of the oldest server that has to accept the same tables
 */
export async function createTortureSchema (sql: Sql, schema = testSchema, version = 18): Promise<void> {
  const session = await sql.reserve()
  const [server] = await session`SELECT current_setting('server_version_num')::int / 10000 AS version`
  const home = quoteIdentifier(schema)
  const newer = Math.min(server?.version, version) >= 18 ? [only18] : []
  const parts = [types, names, sequences, partitions, keys, constraints, triggers(home), extensions, ...newer]
  await session.unsafe(`SET search_path = ${home}`)
  for (const part of parts) await session.unsafe(part)
  await session`RESET search_path`
  session.release()
}
