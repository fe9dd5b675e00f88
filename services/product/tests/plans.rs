//! PostgreSQL finds products, reservations and reviews by indexes, however many there are.

use common::postgres::Postgres;
use product_service::NAME;
use product_service::store::postgres::{
    AUDITED, BATCH, BRANDS, CATEGORIES, DUE, ID_OF_SKU, IMAGES, LINES, LOCK, MIGRATIONS, NEXT_DUE, PRODUCT,
    RESERVATION, REVIEWS,
};
use sqlx::Executor as _;
use testkit::plans::assert_indexed;
use testkit::servers;

const ROWS: &str = "
    INSERT INTO products (name, description, search, price, category, brand, sku, initial, stock_quantity, created_at,
            updated_at, active, average_rating, review_count)
        SELECT 'Mug ' || n, '', 'mug ' || n, n, 'c' || n % 50, 'b' || n % 100, 'SKU-' || n, 5, 5, now() - n * interval '1 s',
            now(), n % 10 > 0, n % 500, n % 7
        FROM generate_series(1, 100000) n;
    INSERT INTO images (product_id, url, is_primary) SELECT id, '', true FROM products;
    INSERT INTO reviews (product_id, user_id, rating, created_at) SELECT id, gen_random_uuid(), 5, now() FROM products;
    INSERT INTO reservations (order_id, status, expires_at, due_at, created_at, updated_at)
        SELECT gen_random_uuid(), CASE WHEN n % 100 = 0 THEN 'reserved' ELSE 'committed' END,
            CASE WHEN n % 100 = 0 THEN now() END, CASE WHEN n % 100 = 0 THEN now() END, now(), now()
        FROM generate_series(1, 100000) n;
    INSERT INTO reservation_lines (order_id, product_id, quantity) SELECT order_id, 1, 1 FROM reservations;
    ANALYZE;";

/// As statements of lists are put together.
const LISTS: [&str; 5] = [
    "SELECT * FROM products WHERE active ORDER BY id LIMIT 20 OFFSET 0",
    "SELECT * FROM products WHERE active AND category = $1 ORDER BY id LIMIT 20 OFFSET 0",
    "SELECT * FROM products WHERE active AND brand = $1 ORDER BY id LIMIT 20 OFFSET 0",
    "SELECT * FROM products WHERE active AND stock_quantity > 0 ORDER BY created_at DESC, id DESC LIMIT 20 OFFSET 0",
    "SELECT * FROM products WHERE active ORDER BY average_rating DESC, review_count DESC, id LIMIT 20 OFFSET 0",
];

#[tokio::test]
async fn no_hot_statement_reads_a_whole_table() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.parse().expect("an address");
    let db = Postgres::open(&url, NAME, &MIGRATIONS).await.expect("a database");
    db.pool().execute(sqlx::raw_sql(ROWS)).await.expect("rows");
    let own = [
        PRODUCT,
        LOCK,
        ID_OF_SKU,
        IMAGES,
        BATCH,
        CATEGORIES,
        BRANDS,
        RESERVATION,
        LINES,
        DUE,
        NEXT_DUE,
        AUDITED,
        REVIEWS,
    ];
    let tables = ["products", "products_1", "images", "reviews", "reservations", "r", "reservation_lines"];
    for statement in own.into_iter().chain(LISTS) {
        assert_indexed(db.pool(), statement, &tables).await;
    }
}
