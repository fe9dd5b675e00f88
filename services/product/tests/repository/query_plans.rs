//! Query plans: all frequent statements use indexes on both databases.

use common::postgres::Postgres;
use common::sqlite::Sqlite;
use product_service::NAME;
use product_service::repository::postgres::{
    ANONYMIZE, AUDITED, BATCH, BRANDS, CATEGORIES, DUE, ID_OF_SKU, IMAGES, LINES, LOCK, MIGRATIONS, NEXT_DUE, PENDING,
    PRODUCT, RESERVATION, REVIEWS,
};
use product_service::repository::sqlite;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use testkit::plans::assert_indexed;
use testkit::servers;

const ROWS: &str = "
    SET statement_timeout = 0;
    INSERT INTO products (name, description, search, price, category, brand, sku, initial, stock_quantity, created_at,
            updated_at, active, average_rating, review_count, search_text, category_key, brand_key)
        SELECT 'Mug ' || n, '', 'mug ' || n, n, 'c' || n % 50, 'b' || n % 100, 'SKU-' || n, 5, 5, now() - n * interval '1 s',
            now(), n % 10 > 0, n % 500, n % 7, 'mug ' || n, 'c' || n % 50, 'b' || n % 100
        FROM generate_series(1, 100000) n;
    INSERT INTO images (product_id, url, is_primary) SELECT id, '', true FROM products;
    INSERT INTO reviews (product_id, user_id, rating, created_at) SELECT id, gen_random_uuid(), 5, now() FROM products;
    INSERT INTO reservations (order_id, status, expires_at, due_at, created_at, updated_at)
        SELECT gen_random_uuid(), CASE WHEN n % 100 = 0 THEN 'reserved' ELSE 'committed' END,
            CASE WHEN n % 100 = 0 THEN now() END, CASE WHEN n % 100 = 0 THEN now() END, now(), now()
        FROM generate_series(1, 100000) n;
    INSERT INTO reservation_lines (order_id, product_id, quantity) SELECT order_id, 1, 1 FROM reservations;
    ANALYZE;";

/// Statements of lists, as they are composed.
const LISTS: [&str; 7] = [
    "SELECT * FROM products WHERE active ORDER BY id LIMIT 20 OFFSET 0",
    "SELECT * FROM products WHERE active AND category_key = $1 ORDER BY id LIMIT 20 OFFSET 0",
    "SELECT * FROM products WHERE active AND brand_key = $1 ORDER BY id LIMIT 20 OFFSET 0",
    "SELECT * FROM products WHERE active AND stock_quantity > 0 ORDER BY created_at DESC, id DESC LIMIT 20 OFFSET 0",
    "SELECT * FROM products WHERE active ORDER BY average_rating DESC, review_count DESC, id LIMIT 20 OFFSET 0",
    "SELECT count(*) FROM (SELECT * FROM products WHERE search_text LIKE $1 OFFSET 0) AS products WHERE active",
    "SELECT * FROM (SELECT * FROM products WHERE search_text LIKE $1 OFFSET 0) AS products WHERE active ORDER BY id
        LIMIT 20 OFFSET 0",
];

/// Statements in SQLite's dialect, each with the index that its plan must contain.
const SQLITE: [(&str, &str); 8] = [
    (
        "SELECT id FROM products_by_text CROSS JOIN products ON products.id = products_by_text.rowid
            WHERE products_by_text MATCH ? AND active = 1 AND instr(products.search_text, ?) > 0 ORDER BY id LIMIT 20",
        "VIRTUAL TABLE INDEX",
    ),
    (
        "SELECT count(*) FROM products_by_text CROSS JOIN products ON products.id = products_by_text.rowid
            WHERE products_by_text MATCH ? AND active = 1 AND instr(products.search_text, ?) > 0",
        "VIRTUAL TABLE INDEX",
    ),
    ("SELECT id FROM products WHERE active = 1 AND category_key = ? ORDER BY id LIMIT 20", "products_by_category_key"),
    ("SELECT id FROM products WHERE active = 1 AND brand_key = ? ORDER BY id LIMIT 20", "products_by_brand_key"),
    (sqlite::ID_OF_SKU, "products_by_released_sku"),
    (sqlite::CATEGORIES, "products_by_category_key"),
    (sqlite::BRANDS, "products_by_brand_key"),
    (sqlite::PENDING, "products_without_text"),
];

#[tokio::test]
async fn postgres_statements_use_indexes() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.parse().unwrap();
    let db = Postgres::open(&url, NAME, &MIGRATIONS).await.unwrap();
    db.pool().execute(sqlx::raw_sql(ROWS)).await.unwrap();
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
        PENDING,
        ANONYMIZE,
    ];
    let tables = ["products", "products_1", "images", "reviews", "reservations", "r", "reservation_lines"];
    for statement in own.into_iter().chain(LISTS) {
        assert_indexed(db.pool(), statement, &tables).await;
    }
}

#[tokio::test]
async fn sqlite_statements_use_indexes() {
    let directory = tempfile::tempdir().unwrap();
    let db = Sqlite::open(&directory.path().join("product.db"), NAME, &sqlite::MIGRATIONS).await.unwrap();
    for (statement, expected) in SQLITE {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sqlx::query(explain).fetch_all(&mut *db.reader().acquire().await.unwrap()).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let whole = |step: &String| step.starts_with("SCAN products") && !step.contains("INDEX");
        assert!(!plan.iter().any(whole), "this statement scans the whole table:\n{statement}\n{plan:#?}");
        assert!(plan.iter().any(|step| step.contains(expected)), "{statement}\n{plan:#?}");
    }
}
