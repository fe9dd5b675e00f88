//! Query plans: all frequent statements use indexes on both databases.

use common::database::{Database, Dialect, QueryBuilder};
use contracts::{ProductId, UserId};
use product_service::NAME;
use product_service::domain::{Facet, ProductFilter, ReviewFilter, Sort, SortOrder, Visibility};
use product_service::repository::sql::{
    ACTIVE_PRODUCTS, AUDIT_PAGE, BRANDS, CATEGORIES, COLLECTABLE, DELETED_AUTHOR, DUE, IMAGES, LINES, LOCKED_MEDIA,
    LOCKED_PRODUCT, MIGRATIONS, NEXT_DUE, PENDING, PRODUCT, PRODUCT_ID_BY_SKU, REFERENCE, RESERVATION,
    REVIEWS_OF_AUTHOR, adjustment_listing, facet_query, listing, review_listing,
};
use sqlx::{Executor as _, PgPool};
use testkit::query_plans::assert_indexed;
use testkit::servers;

const ROWS: &str = "
    SET statement_timeout = 0;
    INSERT INTO products (name, description, search, price, category, brand, sku, initial, stock_quantity, created_at,
            updated_at, active, average_rating, review_count, search_text, category_key, brand_key)
        SELECT 'Mug ' || n, '', 'mug ' || n, n, 'c' || n % 50, 'b' || n % 100, 'SKU-' || n, 5, 5, now() - n * interval '1 s',
            now(), n % 10 > 0, n % 500, n % 7, 'mug ' || n, 'c' || n % 50, 'b' || n % 100
        FROM generate_series(1, 100000) n;
    INSERT INTO media (name, created_at) SELECT md5('' || id), now() FROM products;
    INSERT INTO images (product_id, url, is_primary, media) SELECT id, '', true, md5('' || id) FROM products;
    INSERT INTO reviews (product_id, user_id, rating, created_at) SELECT id, gen_random_uuid(), 5, now() FROM products;
    INSERT INTO stock_adjustments (product_id, quantity, actor, created_at)
        SELECT id, 1, 'system', now() FROM products;
    INSERT INTO reservations (order_id, status, expires_at, due_at, created_at, updated_at)
        SELECT gen_random_uuid(), CASE WHEN n % 100 = 0 THEN 'reserved' ELSE 'committed' END,
            CASE WHEN n % 100 = 0 THEN now() END, CASE WHEN n % 100 = 0 THEN now() END, now(), now()
        FROM generate_series(1, 100000) n;
    INSERT INTO reservation_lines (order_id, product_id, quantity) SELECT order_id, 1, 1 FROM reservations;
    ANALYZE;";

/// Plan of a list that reads the table in the order of its ids, up to the limit.
const IN_ORDER: &str = "SCAN products";

/// Lists, each with the index that SQLite must use.
fn lists(dialect: Dialect) -> Vec<(String, &'static str)> {
    let all = ProductFilter::default;
    let search = ProductFilter { search: Some("mug".to_owned()), ..all() };
    let by_id = SortOrder::By(Sort::default());
    let page = |filter: &ProductFilter, order| listing(dialect, filter, order).page(0, 20).text(dialect);
    vec![
        (page(&all(), by_id), IN_ORDER),
        (page(&ProductFilter { category: Some("c1".to_owned()), ..all() }, by_id), "products_by_category_key"),
        (page(&ProductFilter { brand: Some("b1".to_owned()), ..all() }, by_id), "products_by_brand_key"),
        (page(&ProductFilter { in_stock: true, ..all() }, SortOrder::Latest), "products_by_creation"),
        (page(&all(), SortOrder::TopRated), "products_by_rating"),
        (page(&ProductFilter { min_rating: Some(4), ..all() }, SortOrder::TopRated), "products_by_rating"),
        (page(&ProductFilter { visibility: Visibility::Inactive, ..all() }, by_id), "products_inactive"),
        (page(&search, by_id), "VIRTUAL TABLE INDEX"),
        (listing(dialect, &search, by_id).count().text(dialect), "VIRTUAL TABLE INDEX"),
    ]
}

/// Facets of lists that are narrowed by a filter with an index, each with the index that SQLite must use.
fn facets(dialect: Dialect) -> Vec<(String, &'static str)> {
    let all = ProductFilter::default;
    let of = |facet, filter: &ProductFilter| facet_query(dialect, facet, filter).text(dialect);
    let category = ProductFilter { category: Some("c1".to_owned()), ..all() };
    let brand = ProductFilter { brand: Some("b1".to_owned()), ..all() };
    let search = ProductFilter { search: Some("mug".to_owned()), ..all() };
    let mut facets = vec![
        (of(Facet::Brands, &category), "products_by_category_key"),
        (of(Facet::Categories, &brand), "products_by_brand_key"),
        (of(Facet::Categories, &search), "VIRTUAL TABLE INDEX"),
    ];
    for facet in [Facet::Ratings, Facet::Price, Facet::InStock, Facet::Total] {
        facets.push((of(facet, &category), "products_by_category_key"));
        facets.push((of(facet, &search), "VIRTUAL TABLE INDEX"));
    }
    facets
}

/// Lists of reviews and adjustments.
fn other_lists(dialect: Dialect) -> Vec<(String, &'static str)> {
    let all = ReviewFilter::default;
    let (product, author) = (ProductId::new(1), UserId::generate(chrono::DateTime::UNIX_EPOCH));
    let page = |filter: ReviewFilter| review_listing(&filter).page(0, 20).text(dialect);
    let count = |filter: ReviewFilter| review_listing(&filter).count().text(dialect);
    vec![
        (page(all()), "reviews_by_creation"),
        (page(ReviewFilter { rating: Some(1), ..all() }), "reviews_by_rating"),
        (page(ReviewFilter { author: Some(author), ..all() }), "reviews_by_author"),
        (count(ReviewFilter { author: Some(author), ..all() }), "reviews_by_author"),
        (page(ReviewFilter { product: Some(product), ..all() }), "reviews_by_time"),
        (adjustment_listing(product).page(0, 20).text(dialect), "stock_adjustments_by_product"),
        (adjustment_listing(product).count().text(dialect), "stock_adjustments_by_product"),
    ]
}

/// Statements, each with the index that SQLite must use.
fn statements(dialect: Dialect) -> Vec<(String, &'static str)> {
    let fixed = [
        (PRODUCT, "INTEGER PRIMARY KEY"),
        (LOCKED_PRODUCT.text(dialect), "INTEGER PRIMARY KEY"),
        (PRODUCT_ID_BY_SKU, "products_by_released_sku"),
        (IMAGES.text(dialect), "images_by_product"),
        (LOCKED_MEDIA.text(dialect), "PRIMARY KEY"),
        (COLLECTABLE.text(dialect), "media_unreferenced"),
        (REFERENCE, "images_by_media"),
        (ACTIVE_PRODUCTS.text(dialect), "INTEGER PRIMARY KEY"),
        (CATEGORIES, "products_by_category_key"),
        (BRANDS, "products_by_brand_key"),
        (RESERVATION, "PRIMARY KEY"),
        (LINES, "PRIMARY KEY"),
        (DUE, "reservations_due"),
        (NEXT_DUE, "reservations_due"),
        (AUDIT_PAGE, "INTEGER PRIMARY KEY"),
        (PENDING.text(dialect), "products_without_text"),
        (DELETED_AUTHOR, "PRIMARY KEY"),
        (REVIEWS_OF_AUTHOR, "reviews_by_author"),
    ];
    let fixed = fixed.into_iter().map(|(statement, index)| (statement.to_owned(), index));
    fixed.chain(lists(dialect)).chain(facets(dialect)).chain(other_lists(dialect)).collect()
}

#[tokio::test]
async fn postgres_statements_use_indexes() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.unwrap();
    Database::open_postgres(&url.parse().unwrap(), NAME, &MIGRATIONS.postgres).await.unwrap().close().await;
    let pool = PgPool::connect(&url).await.unwrap();
    pool.execute(sqlx::raw_sql(ROWS)).await.unwrap();
    let tables = [
        "products",
        "products_1",
        "images",
        "media",
        "reviews",
        "reservations",
        "r",
        "reservation_lines",
        "stock_adjustments",
    ];
    for (statement, _) in statements(Dialect::POSTGRES) {
        assert_indexed(&pool, &statement, &tables).await;
    }
}

#[tokio::test]
async fn sqlite_statements_use_indexes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("product.db");
    let db = Database::open_sqlite(&path, NAME, &MIGRATIONS.sqlite).await.unwrap();
    for (statement, expected) in statements(Dialect::SQLITE) {
        let explain = QueryBuilder::new(format!("EXPLAIN QUERY PLAN {statement}")).build();
        let rows = explain.fetch_all(&mut db.reader().await.unwrap()).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail").unwrap()).collect();
        let whole = |step: &String| step.starts_with("SCAN products") && !step.contains("INDEX");
        assert!(
            expected == IN_ORDER || !plan.iter().any(whole),
            "this statement scans the whole table:\n{statement}\n{plan:#?}"
        );
        assert!(plan.iter().any(|step| step.contains(expected)), "{statement}\n{plan:#?}");
    }
}
