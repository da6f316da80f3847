/** Contains one of each kind of object that a restore disables or drops, and restores. */
export const shop = `
  CREATE TABLE users (id serial PRIMARY KEY, name text);
  CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, total int);
  CREATE TABLE audit_logs (user_id int REFERENCES users ON DELETE CASCADE);
  INSERT INTO users (name) VALUES ('Ada'), ('Bob'); INSERT INTO orders VALUES (1, 1, -5), (2, 2, 7);
  INSERT INTO audit_logs VALUES (1);
  ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0) NOT VALID;
  CREATE FUNCTION touch () RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
  CREATE TRIGGER touches BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION touch()`
