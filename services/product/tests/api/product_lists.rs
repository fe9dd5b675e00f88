//! Lists of products.

use common::runtime::NextRun;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{TestService, ids};

async fn list(service: &TestService, query: &str) -> Value {
    service.get(&format!("/api/products?{query}")).await.json(200)
}

#[tokio::test]
async fn page_reports_its_position() {
    let service = TestService::open().await;
    for n in 0..23 {
        service.add(&format!("Product {n}"), json!({})).await;
    }
    let page = service.get("/api/products").await.json(200);
    assert_eq!(ids(&page["data"]), (1..=20).collect::<Vec<_>>());
    let shape = |page: &Value| ["page", "size", "totalElements", "totalPages"].map(|key| page[key].as_i64().unwrap());
    assert_eq!((shape(&page), page.as_object().unwrap().len()), ([0, 20, 23, 2], 5));
    let page = list(&service, "page=2&size=10").await;
    assert_eq!((ids(&page["data"]), shape(&page)), (vec![21, 22, 23], [2, 10, 23, 3]));
    for beyond in [3, 1_000_000, i64::MAX] {
        let page = list(&service, &format!("page={beyond}&size=100")).await;
        assert_eq!((ids(&page["data"]), shape(&page)), (vec![], [beyond, 100, 23, 1]));
    }
    let latest = service.get("/api/products/latest?page=1&size=5").await.json(200);
    assert_eq!(shape(&latest), [1, 5, 0, 0]);
}

#[tokio::test]
async fn page_out_of_bounds_is_rejected() {
    let service = TestService::open().await;
    for list in ["/api/products", "/api/products/latest", "/api/products/top-rated"] {
        for (field, invalid) in [("page", "-1"), ("page", "x"), ("page", "9223372036854775808"), ("size", "0")] {
            service.get(&format!("{list}?{field}={invalid}")).await.invalid(400, &[field]);
        }
        for invalid in ["101", "-1", "1.5", "ten"] {
            service.get(&format!("{list}?size={invalid}")).await.invalid(400, &["size"]);
        }
    }
}

#[tokio::test]
async fn list_is_sorted_as_requested_and_then_by_id() {
    let service = TestService::open().await;
    for (name, price, stock) in [("B", 3, 5), ("A", 2, 9), ("C", 2, 5), ("D", 1, 0)] {
        service.advance(1);
        service.add(name, json!({"price": price, "stockQuantity": stock})).await;
    }
    service.post("/api/products/2/reviews", &service.admin(), json!({"rating": 3})).await.json(201);
    service.post("/api/products/4/reviews", &service.admin(), json!({"rating": 5})).await.json(201);
    for (sort, order) in [
        ("id,asc", [1, 2, 3, 4]),
        ("id,desc", [4, 3, 2, 1]),
        ("name", [2, 1, 3, 4]),
        ("name,desc", [4, 3, 1, 2]),
        ("price,asc", [4, 2, 3, 1]),
        ("price,desc", [1, 2, 3, 4]),
        ("createdAt,desc", [4, 3, 2, 1]),
        ("averageRating,desc", [4, 2, 1, 3]),
        ("averageRating,asc", [1, 3, 2, 4]),
        ("stockQuantity,desc", [2, 1, 3, 4]),
        ("stockQuantity,asc", [4, 1, 3, 2]),
    ] {
        assert_eq!(ids(&list(&service, &format!("sort={sort}")).await["data"]), order, "{sort}");
    }
    for invalid in ["sku,asc", "price,up", "price,", "%20", "Price,asc", "id%3Bdrop,asc", "price,asc,desc"] {
        service.get(&format!("/api/products?sort={invalid}")).await.invalid(400, &["sort"]);
    }
}

#[tokio::test]
async fn conditions_are_combined() {
    let service = TestService::open().await;
    for (category, brand, price, stock) in
        [("Tea", "Leaf", "4.99", 1), ("Tea", "Leaf", "5.00", 0), ("Tea", "Pot", "5.01", 3), ("Cups", "Pot", "9.00", 3)]
    {
        let fields = json!({"category": category, "brand": brand, "price": price, "stockQuantity": stock});
        service.add("Product", fields).await;
    }
    for (query, found) in [
        ("category=Tea", vec![1, 2, 3]),
        ("category=tea", vec![1, 2, 3]),
        ("category=%EF%BC%B4ea", vec![1, 2, 3]),
        ("category=te", vec![]),
        ("brand=%20pot%20", vec![3, 4]),
        ("category=", vec![1, 2, 3, 4]),
        ("brand=Pot", vec![3, 4]),
        ("category=Tea&brand=Pot", vec![3]),
        ("minPrice=5", vec![2, 3, 4]),
        ("maxPrice=5.00", vec![1, 2]),
        ("minPrice=5.00&maxPrice=5.01", vec![2, 3]),
        ("minPrice=9&maxPrice=1", vec![]),
        ("inStock=true", vec![1, 3, 4]),
        ("inStock=false", vec![1, 2, 3, 4]),
        ("minPrice=&maxPrice=&sort=", vec![1, 2, 3, 4]),
        ("category=Tea&inStock=true&minPrice=5", vec![3]),
        ("unknown=1", vec![1, 2, 3, 4]),
    ] {
        let page = list(&service, query).await;
        assert_eq!(ids(&page["data"]), found, "{query}");
        assert_eq!(page["totalElements"], found.len(), "{query}");
    }
    for (field, invalid) in [("minPrice", "cheap"), ("minPrice", "-1"), ("maxPrice", "1.001"), ("maxPrice", "%20")] {
        service.get(&format!("/api/products?{field}={invalid}")).await.invalid(400, &[field]);
    }
    service.get("/api/products?inStock=perhaps").await.invalid(400, &["inStock"]);
}

#[tokio::test]
async fn search_matches_every_character_literally() {
    let service = TestService::open().await;
    for (name, description) in [
        ("Blue Mug", "Glazed by hand"),
        ("Scarf", "100% wool, from the ÄUSSERE Hebriden"),
        ("snake_case Shirt", "For programmers"),
        ("Path\\Finder", "A compass"),
        ("ЧАЙНИК", "Holds 1000 ml"),
    ] {
        service.add(name, json!({"description": description})).await;
    }
    for (search, found) in [
        ("mug", vec![1]),
        ("GLAZED", vec![1]),
        ("mug%20glazed", vec![]),
        ("mugglazed", vec![]),
        ("%25", vec![2]),
        ("100%25", vec![2]),
        ("_", vec![3]),
        ("e_c", vec![3]),
        ("%5C", vec![4]),
        ("h%5Cf", vec![4]),
        ("%C3%A4ussere", vec![2]),
        ("%D1%87%D0%B0%D0%B9", vec![5]),
        ("'%20OR%201=1", vec![]),
        ("%20", vec![1, 2, 3, 4, 5]),
        ("", vec![1, 2, 3, 4, 5]),
    ] {
        assert_eq!(ids(&list(&service, &format!("search={search}")).await["data"]), found, "{search}");
    }
    service.patch("/api/products/1", &service.admin(), json!({"name": "Red Cup"})).await.json(200);
    assert_eq!(ids(&list(&service, "search=mug").await["data"]), [0; 0]);
    assert_eq!(ids(&list(&service, "search=red").await["data"]), [1]);
    service.get("/api/products?search=%00").await.invalid(400, &["search"]);
}

#[tokio::test]
async fn search_ignores_case_and_diacritics() {
    let service = TestService::open().await;
    for name in ["Café Table", "CAFE CHAIR", "Cafe\u{301} Lamp", "Straße Map", "Tea"] {
        service.add(name, json!({"description": "."})).await;
    }
    for (search, found) in [
        ("cafe", vec![1, 2, 3]),
        ("CAF%C3%89", vec![1, 2, 3]),
        ("cafe%CC%81", vec![1, 2, 3]),
        ("fe%20t", vec![1]),
        ("F%C3%A9", vec![1, 2, 3]),
        ("strasse", vec![4]),
        ("t%C3%A9%C3%A1", vec![5]),
        ("caffe", vec![]),
    ] {
        assert_eq!(ids(&list(&service, &format!("search={search}")).await["data"]), found, "{search}");
    }
}

#[tokio::test]
async fn rows_of_the_previous_version_are_found() {
    const RENAME: &str = "UPDATE products SET name = 'Crème', search = 'crème', category = 'SÜSSES' WHERE id = 1";
    let service = TestService::open().await;
    service.add("Mug", json!({"description": "."})).await;
    let of_search =
        async |service: &TestService| ids(&list(service, "search=creme&category=s%C3%BCsses").await["data"]);
    service.execute(RENAME).await;
    assert_eq!(ids(&list(&service, "search=mug").await["data"]), [0; 0]);
    assert_eq!(service.search_index.step().await.unwrap(), NextRun::Now);
    assert_eq!(service.search_index.step().await.unwrap(), NextRun::OnWake);
    assert_eq!(of_search(&service).await, [1]);

    service.execute(RENAME).await;
    let service = service.reopen(&[]).await;
    assert_eq!(of_search(&service).await, [1], "texts are derived before the service listens");
}

#[tokio::test]
async fn equal_looking_spellings_are_one_category() {
    let service = TestService::open().await;
    for (category, brand) in [("Caf\u{e9}", "Leaf"), ("CAFE\u{301}", "LEAF"), ("Ｃafé", "Leaf "), ("Cafe", "Läf")] {
        service.add("Mug", json!({"category": category, "brand": brand})).await;
    }
    assert_eq!(service.get("/api/products/categories").await.json(200), json!(["Cafe", "Caf\u{e9}"]));
    assert_eq!(service.get("/api/products/brands").await.json(200), json!(["Leaf", "L\u{e4}f"]));
    for (query, found) in
        [("category=caf%C3%A9", vec![1, 2, 3]), ("category=CAFE", vec![4]), ("brand=leaf", vec![1, 2, 3])]
    {
        assert_eq!(ids(&list(&service, query).await["data"]), found, "{query}");
    }
    service.patch("/api/products/1", &service.admin(), json!({"category": "caf\u{e9}"})).await.json(200);
    assert_eq!(service.get("/api/products/categories").await.json(200), json!(["Cafe", "caf\u{e9}"]));
    assert_eq!(ids(&list(&service, "category=CAF%C3%89").await["data"]), [1, 2, 3]);
}

#[tokio::test]
async fn latest_products_are_in_stock_and_newest_first() {
    let service = TestService::open().await;
    for stock in [1, 0, 2, 3] {
        service.add("Product", json!({"stockQuantity": stock})).await;
    }
    service.advance(1);
    service.add("Product", json!({"stockQuantity": 1})).await;
    service.delete("/api/products/4", &service.admin()).await.json(204);
    assert_eq!(ids(&service.get("/api/products/latest").await.json(200)["data"]), [5, 3, 1]);
}

#[tokio::test]
async fn top_rated_products_are_ordered_by_rating_reviews_and_id() {
    let service = TestService::open().await;
    let ratings: [&[i64]; 5] = [&[], &[4, 4], &[5], &[4], &[4, 4]];
    for (at, ratings) in ratings.iter().enumerate() {
        service.add("Product", json!({})).await;
        for rating in *ratings {
            let path = format!("/api/products/{}/reviews", at + 1);
            service.post(&path, &service.token(service.user()), json!({"rating": rating})).await.json(201);
        }
    }
    let page = service.get("/api/products/top-rated?size=4").await.json(200);
    assert_eq!((ids(&page["data"]), &page["totalElements"]), (vec![3, 2, 5, 4], &json!(5)));
}
