// @ts-check

/** About 50,000 rows, the same ones each time, except the times in audit_logs. */
export const shopData = `
INSERT INTO customers (email, name, referred_by, interests, preferences, created_at)
SELECT 'customer' || i || '@shop.example',
  (ARRAY['Ada', 'Zoë', 'Bob', 'Łucja', 'Óscar', '美咲', 'D''Arcy', 'Mehmet'])[1 + i % 8] || ' ' ||
    (ARRAY['Nguyễn', 'Smith', 'Şahin', 'O"Neil', 'García'])[1 + i % 5],
  CASE WHEN i % 3 = 0 THEN i / 3 END,
  (ARRAY['bikes', 'tents, large', 'maps', 'climbing'])[1 + i % 3 : 1 + i % 4],
  jsonb_build_object(
    'newsletter', i % 2 = 0, 'locale', (ARRAY['de-DE', 'en-GB', 'ja-JP'])[1 + i % 3], 'limit', i * 1.10),
  timestamptz '2025-01-01 08:00+00' + i * interval '97 minutes'
FROM generate_series(1, 4000) i;

INSERT INTO categories (parent_id, slug, position)
SELECT CASE WHEN i > 8 THEN 1 + i % 8 END, 'category-' || i, i FROM generate_series(1, 40) i;

INSERT INTO products (category_id, sku, name, price, size_mm, weight_kg, attributes, is_listed)
SELECT 9 + i % 32, 'SKU-' || lpad(i::text, 5, '0'),
  (ARRAY['Tent', 'Stove', 'Rope', 'Lantern', 'Compass'])[1 + i % 5] || ' no. ' || i,
  (199 + i * 7919 % 39800) / 100.0,
  CASE WHEN i % 7 > 0 THEN ARRAY[i % 900 + 10, i % 400 + 5, NULLIF(i % 50, 0)] END,
  i % 113 / 10.0,
  CASE WHEN i % 11 > 0 THEN jsonb_build_object(
    'colour', (ARRAY['red', 'grün', 'blue'])[1 + i % 3],
    'ratings', jsonb_build_array(i % 5, NULL, 12345678901234567890.5)) END,
  i % 20 > 0
FROM generate_series(1, 1200) i;

INSERT INTO warehouses VALUES
  ('BER', 'Berlin', '2019-04-01', '(13.405,52.52)'),
  ('OSL', 'Oslo', '2021-09-15', '(10.7522,59.9139)'),
  ('LIS', 'Lisboa', '2024-02-29', '(-9.1393,38.7223)');

INSERT INTO inventory
SELECT id, code, id * 31 % 500, timestamptz '2026-06-30 22:00+00' + id * interval '1.5 seconds'
FROM products, warehouses;

INSERT INTO orders (customer_id, status, ship_to, coupons, delivery_time, placed_at)
SELECT 1 + i * 7919 % 4000,
  (enum_range(NULL::order_status))[1 + i % 5],
  jsonb_build_object(
    'street', i % 200 || ' High Street', 'city', 'Town ' || i % 90, 'floor', CASE WHEN i % 4 = 0 THEN i % 12 END),
  CASE WHEN i % 6 = 0 THEN ARRAY['SUMMER', 'code ' || i % 10] END,
  CASE WHEN i % 5 > 1 THEN i % 14 * interval '7 hours' END,
  timestamptz '2026-01-01 06:30:00.123456+00' + i * interval '41 minutes'
FROM generate_series(1, 8000) i;

INSERT INTO order_items (order_id, line, product_id, quantity, unit_price)
SELECT o.id, line, p.id, 1 + (o.id + line) % 4, p.price
FROM orders o, generate_series(1, 1 + o.id % 3) line JOIN products p ON true
WHERE p.id = 1 + (o.id * 31 + line * 17) % 1200;

INSERT INTO payments
SELECT md5('payment ' || o.id)::uuid, o.id, (enum_range(NULL::payment_method))[1 + o.id % 3], sum(i.total),
  inet '10.20.0.0' + o.id, decode(md5('receipt ' || o.id), 'hex'),
  jsonb_build_object('provider', 'paybank', 'reference', 'R' || o.id * 7919, 'fee', round(sum(i.total) * 0.019, 4)),
  o.placed_at + interval '3 minutes'
FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.status <> 'pending' GROUP BY o.id;

INSERT INTO reviews (product_id, customer_id, stars, body, votes, created_at)
SELECT 1 + i * 37 % 1200, 1 + i * 7919 % 4000, 1 + i % 5,
  CASE WHEN i % 9 > 0 THEN
    E'Bought for trip no. ' || i || E'.\\n"Would" buy again \\U0001F44D, see C:\\\\photos\\\\' || i END,
  ARRAY[i % 17, i % 5],
  timestamptz '2026-02-01 12:00+00' + i * interval '53 minutes'
FROM generate_series(1, 3000) i;

ANALYZE;
`

/** A clean-up that was meant for the staging database. audit_logs records what it did. */
export const damage = `
UPDATE products SET price = 0, attributes = NULL;
UPDATE customers SET email = 'test' || id || '@shop.example', interests = '{}' WHERE id % 2 = 0;
INSERT INTO customers (email, name, interests, preferences, created_at)
SELECT 'load-test' || i || '@shop.example', 'Load Test', '{}', 'null', now() FROM generate_series(1, 500) i;
UPDATE categories SET parent_id = NULL;
DELETE FROM payments WHERE order_id > 1000;
DELETE FROM order_items WHERE order_id > 1000;
DELETE FROM orders WHERE id > 1000;
TRUNCATE reviews, inventory RESTART IDENTITY;
SELECT setval('orders_id_seq', 1, false), setval('order_number_seq', 1, false);
`
