use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::database::transaction_effects::Effects;
use contracts::api::Product;
use contracts::{ImageId, Money, ProductId};
use futures::FutureExt as _;
use product_service::domain::{
    FacetRating, FacetValue, NewImage, NewProduct, NewReview, NewUpload, PictureName, PriceRange, ProductChanges,
    ProductFilter, Sort, SortOrder, Visibility, update,
};
use product_service::repository::{NewSample, Spellings, UpdateFn};

use crate::support::{Fixture, START, adjustment, deactivation, later, new, no_effects, page, some_event, user};

pub(crate) async fn product_is_read_as_it_was_created(fixture: Fixture) {
    let new = NewProduct { brand: Some("Clay".to_owned()), sku: Some("M1".to_owned()), ..new("Mug") };
    let created = fixture.products.create(&new, START, &|product| some_event(product.id)).await.unwrap();
    let expected = Product {
        id: created.id,
        name: new.name,
        description: new.description,
        price: new.price,
        category: new.category,
        stock_quantity: 5,
        brand: new.brand,
        sku: new.sku,
        average_rating: Money::ZERO,
        review_count: 0,
        active: true,
        images: Vec::new(),
        created_at: START,
        updated_at: START,
    };
    assert_eq!(created, expected);
    assert_eq!(fixture.products.find(created.id).await.unwrap(), Some(created.clone()));
    assert_eq!(fixture.products.find_id_by_sku("M1").await.unwrap(), Some(created.id));
    assert_eq!(fixture.pending().await, 1);
    fixture.products.ping().await.unwrap();
}

pub(crate) async fn unknown_ids_are_none(fixture: Fixture) {
    let (products, unknown) = (&fixture.products, ProductId::new(77));
    assert_eq!(products.find(unknown).await.unwrap(), None);
    assert_eq!(products.find_id_by_sku("M1").await.unwrap(), None);
    assert_eq!(products.find_active(&[unknown]).await.unwrap(), []);
    let update_fn: &UpdateFn<'_> = &|_| Some(Effects::none());
    assert_eq!(products.update(unknown, update_fn).await.unwrap(), None);
    assert_eq!(products.add_image(unknown, &image(true), START, &no_effects).await.unwrap(), None);
    assert!(!products.remove_image(unknown, ImageId::new(1), START, &no_effects).await.unwrap());
    assert_eq!(fixture.pending().await, 0);
}

pub(crate) async fn sku_is_unique(fixture: Fixture) {
    let products = &fixture.products;
    let with_sku = NewProduct { sku: Some("M1".to_owned()), ..new("Mug") };
    products.create(&with_sku, START, &no_effects).await.unwrap();
    let rejected = products.create(&with_sku, START, &|product| some_event(product.id)).await.unwrap_err();
    assert_eq!(rejected.unique(), Some("products.sku"));
    let other = products.create(&new("Cup"), START, &no_effects).await.unwrap();
    let take = |product: &mut Product| {
        product.sku = Some("M1".to_owned());
        Some(some_event(product.id))
    };
    let rejected = products.update(other.id, &take).await.unwrap_err();
    assert_eq!(rejected.unique(), Some("products.sku"));
    assert_eq!(products.find(other.id).await.unwrap(), Some(other));
    assert_eq!(fixture.pending().await, 0);
}

pub(crate) async fn sku_of_an_inactive_product_is_free(fixture: Fixture) {
    let products = &fixture.products;
    let with_sku = NewProduct { sku: Some("M1".to_owned()), ..new("Mug") };
    let activate = async |id: ProductId, active: bool| {
        let changes = ProductChanges { active: Some(active), ..ProductChanges::default() };
        let update_fn = |product: &mut Product| (!update(product, &changes, later(1)).is_empty()).then(Effects::none);
        products.update(id, &update_fn).await.map(Option::unwrap)
    };
    let first = products.create(&with_sku, START, &no_effects).await.unwrap().id;
    assert_eq!(activate(first, false).await.unwrap().sku.as_deref(), Some("M1"));
    assert_eq!(products.find_id_by_sku("M1").await.unwrap(), Some(first));
    let second = products.create(&with_sku, START, &no_effects).await.unwrap().id;
    assert_eq!(products.find_id_by_sku("M1").await.unwrap(), Some(second));
    assert_eq!(products.find(first).await.unwrap().unwrap().sku.as_deref(), Some("M1"));

    let rejected = activate(first, true).await.unwrap_err();
    assert_eq!(rejected.unique(), Some("products.sku"));
    assert!(!products.find(first).await.unwrap().unwrap().active);
    let rename = |product: &mut Product| {
        product.name = "Cup".to_owned();
        Some(Effects::none())
    };
    products.update(first, &rename).await.unwrap().unwrap();

    activate(second, false).await.unwrap();
    assert_eq!(products.find_id_by_sku("M1").await.unwrap(), Some(second), "the last product that had it");
    let active = activate(first, true).await.unwrap();
    assert_eq!((active.sku.as_deref(), active.active), (Some("M1"), true));
    assert_eq!(products.find_id_by_sku("M1").await.unwrap(), Some(first));
    let clear = |product: &mut Product| {
        product.sku = None;
        Some(Effects::none())
    };
    for id in [first, second] {
        products.update(id, &clear).await.unwrap().unwrap();
        assert_eq!(products.find(id).await.unwrap().unwrap().sku, None);
    }
    assert_eq!(products.find_id_by_sku("M1").await.unwrap(), None);
}

pub(crate) async fn skus_of_the_previous_version_are_released(fixture: Fixture) {
    let products = &fixture.products;
    let with_sku = NewProduct { sku: Some("M1".to_owned()), ..new("Mug") };
    let first = products.create(&with_sku, START, &no_effects).await.unwrap().id;
    fixture.execute("UPDATE products SET name = 'Mug', sku = 'M1', active = (1 = 0) WHERE id = 1").await;
    let second = products.create(&with_sku, START, &no_effects).await.unwrap().id;
    assert_eq!(products.find(first).await.unwrap().unwrap().sku.as_deref(), Some("M1"));
    assert_eq!(products.find_id_by_sku("M1").await.unwrap(), Some(second));
    fixture.execute("UPDATE products SET name = 'Mug', sku = NULL, active = (1 = 0) WHERE id = 2").await;
    assert_eq!(products.find(second).await.unwrap().unwrap().sku.as_deref(), None, "it was cleared before");
    fixture.execute("UPDATE products SET name = 'Mug', sku = NULL, active = (1 = 1) WHERE id = 1").await;
    assert_eq!(products.find(first).await.unwrap().unwrap().sku.as_deref(), Some("M1"), "the sku is restored");
    let rejected = products.create(&with_sku, START, &no_effects).await.unwrap_err();
    assert_eq!(rejected.unique(), Some("products.sku"));
    fixture.execute("UPDATE products SET sku = 'e\u{301}' WHERE id = 1").await;
    assert_eq!(
        products.find_id_by_sku("\u{e9}").await.unwrap(),
        Some(first),
        "a sku in Form D, which is no longer written"
    );
}

pub(crate) async fn update_writes_descriptive_fields_only(fixture: Fixture) {
    let id = fixture.product(5).await;
    let changes = ProductChanges { name: Some("CUP".to_owned()), active: Some(false), ..ProductChanges::default() };
    let update_fn = |product: &mut Product| {
        product.stock_quantity = 99;
        product.review_count = 9;
        (!update(product, &changes, later(1)).is_empty()).then(|| some_event(product.id))
    };
    fixture.products.update(id, &update_fn).await.unwrap().unwrap();
    let after = fixture.products.find(id).await.unwrap().unwrap();
    assert_eq!((after.name.as_str(), after.active, after.updated_at), ("CUP", false, later(1)));
    assert_eq!((after.stock_quantity, after.review_count), (5, 0));
    assert_eq!(fixture.pending().await, 1);
}

pub(crate) async fn update_without_effects_rolls_back(fixture: Fixture) {
    let id = fixture.product(5).await;
    let before = fixture.products.find(id).await.unwrap();
    let update_fn = |product: &mut Product| {
        product.name = "Cup".to_owned();
        None
    };
    fixture.products.update(id, &update_fn).await.unwrap();
    assert_eq!(fixture.products.find(id).await.unwrap(), before);
}

pub(crate) async fn catalog_is_seeded_once(fixture: Fixture) {
    let all = [new("Mug"), new("Cup")];
    let effects = |product: &Product| some_event(product.id);
    let name = PictureName::parse(&format!("{}.png", "a".repeat(64))).unwrap();
    let picture = NewUpload { name, alt_text: None, primary: true };
    let all = all.map(|product| NewSample { product, picture: Some(picture.clone()) });
    let stored = Arc::new(AtomicU32::new(0));
    let store = |_: PictureName| {
        let stored = stored.clone();
        async move {
            stored.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
        .boxed()
    };
    assert!(fixture.products.seed(&all, START, &store, &effects).await.unwrap());
    assert!(!fixture.products.seed(&all, START, &store, &effects).await.unwrap());
    assert_eq!(stored.load(Ordering::SeqCst), 2);
    let list =
        fixture.products.list(&ProductFilter::default(), SortOrder::By(Sort::default()), page(0, 20)).await.unwrap();
    let names: Vec<_> = list.data.iter().map(|product| product.name.as_str()).collect();
    assert_eq!((names, fixture.pending().await), (vec!["Mug", "Cup"], 2));
    assert!(list.data.iter().all(|product| product.images[0].url == picture.name.path()));
}

pub(crate) async fn find_active_returns_products_once_by_id(fixture: Fixture) {
    let ids = [fixture.product(1).await, fixture.product(1).await, fixture.product(1).await];
    fixture.products.update(ids[1], &deactivation).await.unwrap();
    let batch = fixture.products.find_active(&[ids[2], ids[1], ids[0], ids[2]]).await.unwrap();
    assert_eq!(batch.iter().map(|product| product.id).collect::<Vec<_>>(), [ids[0], ids[2]]);
    assert_eq!(fixture.products.find_active(&[]).await.unwrap(), []);
}

pub(crate) async fn list_is_filtered_sorted_and_paged(fixture: Fixture) {
    let products = &fixture.products;
    for (name, cents, brand, stock) in [
        ("100% Wolle", 300, Some("B"), 0),
        ("ÄPFEL", 100, Some("A"), 2),
        ("a_b\\c", 200, None, 3),
        ("Mug", 100, Some("B"), 1),
    ] {
        let brand = brand.map(str::to_owned);
        let price = Money::from_cents(cents);
        let new = NewProduct { price, brand, stock_quantity: stock, description: ".".to_owned(), ..new(name) };
        products.create(&new, START, &no_effects).await.unwrap();
    }
    let found = async |filter: ProductFilter, sort: &str| {
        let by = SortOrder::By(Sort::parse(sort).unwrap());
        let list = products.list(&filter, by, page(0, 20)).await.unwrap();
        assert_eq!(list.total_elements, i64::try_from(list.data.len()).unwrap());
        list.data.iter().map(|product| product.id.get()).collect::<Vec<_>>()
    };
    let search = |text: &str| ProductFilter { search: Some(text.to_owned()), ..ProductFilter::default() };
    for (text, ids) in
        [("%", vec![1]), ("äpf", vec![2]), ("_", vec![3]), ("\\", vec![3]), ("wOLLE", vec![1]), ("x", vec![])]
    {
        assert_eq!(found(search(text), "id").await, ids, "{text}");
    }
    let cents = |cents| Some(Money::from_cents(cents));
    assert_eq!(found(ProductFilter { min_price: cents(200), ..ProductFilter::default() }, "price").await, [3, 1]);
    assert_eq!(
        found(ProductFilter { max_price: cents(200), ..ProductFilter::default() }, "price,desc").await,
        [3, 2, 4]
    );
    assert_eq!(found(ProductFilter { brand: Some("B".to_owned()), ..ProductFilter::default() }, "name").await, [1, 4]);
    assert_eq!(
        found(ProductFilter { in_stock: true, ..ProductFilter::default() }, "stockQuantity,desc").await,
        [3, 2, 4]
    );
    assert_eq!(
        found(ProductFilter { category: Some("kitchens".to_owned()), ..ProductFilter::default() }, "id").await,
        [0; 0]
    );
    let second = products.list(&ProductFilter::default(), SortOrder::Latest, page(1, 3)).await.unwrap();
    assert_eq!((second.data[0].id.get(), second.total_elements, second.total_pages), (1, 4, 2));
    let beyond = products.list(&ProductFilter::default(), SortOrder::TopRated, page(i64::MAX, 100)).await.unwrap();
    assert_eq!((beyond.data.len(), beyond.total_elements), (0, 4));
    assert_eq!(products.brands().await.unwrap(), ["A", "B"]);
    assert_eq!(products.categories().await.unwrap(), ["Kitchen"]);
}

pub(crate) async fn hidden_low_and_rated_products_are_listed(fixture: Fixture) {
    let ids = [fixture.product(0).await, fixture.product(3).await, fixture.product(9).await, fixture.product(9).await];
    fixture.products.update(ids[3], &deactivation).await.unwrap();
    for (product, rating) in [(ids[1], 3), (ids[1], 4), (ids[2], 5)] {
        let new = NewReview { user_id: user(), rating, title: None, comment: None };
        fixture.reviews.add(product, &new, START, &Effects::none()).await.unwrap();
    }
    let all = ProductFilter::default;
    for (filter, expected) in [
        (all(), &[1, 2, 3][..]),
        (ProductFilter { visibility: Visibility::All, ..all() }, &[1, 2, 3, 4]),
        (ProductFilter { visibility: Visibility::Inactive, ..all() }, &[4]),
        (ProductFilter { low_stock: Some(3), ..all() }, &[1, 2]),
        (ProductFilter { low_stock: Some(0), visibility: Visibility::All, ..all() }, &[1]),
        (ProductFilter { min_rating: Some(3), ..all() }, &[2, 3]),
        (ProductFilter { min_rating: Some(4), ..all() }, &[3]),
        (ProductFilter { min_rating: Some(1), in_stock: true, low_stock: Some(5), ..all() }, &[2]),
    ] {
        assert_eq!(found(&fixture, &filter).await, expected, "{filter:?}");
        assert_eq!(fixture.products.facets(&filter).await.unwrap().total, i64::try_from(expected.len()).unwrap());
    }
}

pub(crate) async fn facets_are_counted_under_the_other_filters(fixture: Fixture) {
    let money = Money::from_cents;
    for (name, category, brand, cents, stock) in [
        ("Green Tea", "Tea", Some("Leaf"), 400, 1),
        ("Black Tea", "TEA", Some("leaf"), 500, 0),
        ("Tea Pot", "Pots", Some("Clay"), 2500, 2),
        ("Mug", "Pots", None, 900, 3),
        ("Hidden Tea", "Tea", Some("Leaf"), 100, 1),
    ] {
        let (category, brand) = (category.to_owned(), brand.map(str::to_owned));
        let new = NewProduct { category, brand, price: money(cents), stock_quantity: stock, ..new(name) };
        fixture.products.create(&new, START, &no_effects).await.unwrap();
    }
    fixture.products.update(ProductId::new(5), &deactivation).await.unwrap();
    for (product, rating) in [(1, 5), (3, 4), (3, 5), (4, 1)] {
        let new = NewReview { user_id: user(), rating, title: None, comment: None };
        fixture.reviews.add(ProductId::new(product), &new, START, &Effects::none()).await.unwrap();
    }
    let value = |value: &str, count| FacetValue { value: value.to_owned(), count };
    let ratings = |counts: [i64; 5]| {
        let rating = |(value, count)| FacetRating { value, count };
        [5, 4, 3, 2, 1].into_iter().zip(counts).map(rating).collect::<Vec<_>>()
    };
    let price = |min, max| PriceRange { min: Some(money(min)), max: Some(money(max)) };
    let facets = async |filter: &ProductFilter| fixture.products.facets(filter).await.unwrap();

    let all = facets(&ProductFilter::default()).await;
    assert_eq!(all.categories, [value("Pots", 2), value("Tea", 2)]);
    assert_eq!(all.brands, [value("Leaf", 2), value("Clay", 1)]);
    assert_eq!(all.ratings, ratings([1, 2, 2, 2, 3]));
    assert_eq!((all.price, all.in_stock, all.total), (price(400, 2500), 3, 4));

    let tea = facets(&ProductFilter { category: Some("tea".to_owned()), ..ProductFilter::default() }).await;
    assert_eq!(tea.categories, all.categories, "a facet ignores its own filter");
    assert_eq!((tea.brands, tea.ratings), (vec![value("Leaf", 2)], ratings([1, 1, 1, 1, 1])));
    assert_eq!((tea.price, tea.in_stock, tea.total), (price(400, 500), 1, 2));

    let narrow = ProductFilter {
        max_price: Some(money(450)),
        min_rating: Some(5),
        in_stock: true,
        search: Some("tea".to_owned()),
        ..ProductFilter::default()
    };
    let narrow = facets(&narrow).await;
    assert_eq!((narrow.categories, narrow.brands), (vec![value("Tea", 1)], vec![value("Leaf", 1)]));
    assert_eq!((narrow.price, narrow.ratings), (price(400, 400), ratings([1, 1, 1, 1, 1])));
    assert_eq!((narrow.in_stock, narrow.total), (1, 1));

    let hidden = facets(&ProductFilter { visibility: Visibility::Inactive, ..ProductFilter::default() }).await;
    assert_eq!((hidden.categories, hidden.total), (vec![value("Tea", 1)], 1));
    let none = facets(&ProductFilter { search: Some("coffee".to_owned()), ..ProductFilter::default() }).await;
    assert_eq!((none.price, none.categories.len(), none.total), (PriceRange::default(), 0, 0));
    assert_eq!(none.ratings, ratings([0; 5]));
}

async fn found(fixture: &Fixture, filter: &ProductFilter) -> Vec<i64> {
    let list = fixture.products.list(filter, SortOrder::By(Sort::default()), page(0, 100)).await.unwrap();
    let ids: Vec<_> = list.data.iter().map(|product| product.id.get()).collect();
    assert_eq!(list.total_elements, i64::try_from(ids.len()).unwrap());
    ids
}

async fn search(fixture: &Fixture, text: &str) -> Vec<i64> {
    found(fixture, &ProductFilter { search: Some(text.to_owned()), ..ProductFilter::default() }).await
}

async fn add(fixture: &Fixture, name: &str, description: &str, category: &str) -> i64 {
    let (description, category) = (description.to_owned(), category.to_owned());
    let new = NewProduct { description, category, ..new(name) };
    fixture.products.create(&new, START, &no_effects).await.unwrap().id.get()
}

pub(crate) async fn search_ignores_case_and_diacritics(fixture: Fixture) {
    for (name, description) in [
        ("Café au lait", "Bowl"),
        ("CAFE CREME", "Cup"),
        ("Cafe\u{301} noir", "Pot"),
        ("Straße", "Map"),
        ("Smørrebrød", "Plate"),
        ("ЁЛКА", "Tree"),
        ("が", "Kana"),
        ("Tea", "In two\n  lines"),
    ] {
        add(&fixture, name, description, "Kitchen").await;
    }
    for (text, ids) in [
        ("cafe", &[1, 2, 3][..]),
        ("CAFÉ", &[1, 2, 3]),
        ("Cafe\u{301}", &[1, 2, 3]),
        ("ｃａｆé", &[1, 2, 3]),
        ("fé A", &[1]),
        ("fé", &[1, 2, 3]),
        ("STRASSE", &[4]),
        ("ß", &[4]),
        ("smorrebrod", &[5]),
        ("елка", &[6]),
        ("ёл", &[6]),
        ("か", &[]),
        ("ｶﾞ", &[]),
        ("two lines", &[8]),
        ("two\u{a0}\u{200b} lines", &[8]),
    ] {
        assert_eq!(search(&fixture, text).await, ids, "{text}");
    }
    assert_eq!(search(&fixture, "É").await, search(&fixture, "e").await);
}

pub(crate) async fn search_matches_every_character_literally(fixture: Fixture) {
    for name in
        ["100% wool", "snake_case", "back\\slash", "say \"cheese\" now", "it's * OR NOT -x", "^a:b{c}", "日本語の本"]
    {
        add(&fixture, name, ".", "Kitchen").await;
    }
    for (text, ids) in [
        ("100%", &[1][..]),
        ("0% w", &[1]),
        ("%", &[1]),
        ("1%0", &[]),
        ("e_c", &[2]),
        ("e_case", &[2]),
        ("s_ake", &[]),
        ("_", &[2]),
        ("k\\s", &[3]),
        ("back\\slash", &[3]),
        ("\\", &[3]),
        ("\"cheese\"", &[4]),
        ("\"", &[4]),
        ("y \"c", &[4]),
        ("* OR NOT", &[5]),
        ("100% OR snake", &[]),
        ("cheese*", &[]),
        ("NOT -x", &[5]),
        ("'s *", &[5]),
        ("^a:b{c}", &[6]),
        ("日本語", &[7]),
        ("本語", &[7]),
        ("語の本", &[7]),
        ("100% wool.", &[]),
        ("wool\u{1f}", &[1]),
    ] {
        assert_eq!(search(&fixture, text).await, ids, "{text}");
    }
}

pub(crate) async fn search_follows_updates(fixture: Fixture) {
    let id = add(&fixture, "Blue Mug", "Glazed", "Kitchen").await;
    let rename = |name: &'static str, active: bool| ProductChanges {
        name: Some(name.to_owned()),
        active: Some(active),
        ..ProductChanges::default()
    };
    let write = async |changes: ProductChanges| {
        let update_fn = |product: &mut Product| (!update(product, &changes, later(1)).is_empty()).then(Effects::none);
        fixture.products.update(ProductId::new(id), &update_fn).await.unwrap().unwrap();
    };
    for (name, mug, cup) in [("Red Cup", &[][..], &[1][..]), ("Red Mug Cup", &[1], &[1]), ("Blue Mug", &[1], &[])] {
        write(rename(name, true)).await;
        assert_eq!(search(&fixture, "mug").await, mug, "{name}");
        assert_eq!(search(&fixture, "CUP").await, cup, "{name}");
    }
    fixture.inventory.adjust(ProductId::new(id), &adjustment(1), START, &no_effects).await.unwrap();
    assert_eq!(search(&fixture, "mug").await, [1]);
    write(rename("Blue Mug", false)).await;
    assert_eq!(search(&fixture, "mug").await, [0; 0]);
    assert_eq!(fixture.products.index_pending(10).await.unwrap(), 0);
}

pub(crate) async fn equal_looking_spellings_are_one_category(fixture: Fixture) {
    for category in ["Tea Pots", "TEA POTS", "tea  pots", "Ｔea\u{a0}pots", "Café", "Cafe\u{301}", "Cafe", "Zoë"] {
        add(&fixture, "X", ".", category).await;
    }
    let brands = ["Leaf", "LEAF", "Läf"].map(|brand| Some(brand.to_owned()));
    for brand in brands {
        fixture.products.create(&NewProduct { brand, ..new("X") }, START, &no_effects).await.unwrap();
    }
    assert_eq!(fixture.products.categories().await.unwrap(), ["Cafe", "Café", "Kitchen", "Tea Pots", "Zoë"]);
    assert_eq!(fixture.products.brands().await.unwrap(), ["Leaf", "Läf"]);
    for (category, ids) in
        [(" tea pots ", &[1, 2, 3, 4][..]), ("CAFÉ", &[5, 6]), ("cafe", &[7]), ("tea", &[]), ("", &[])]
    {
        assert_eq!(
            found(&fixture, &ProductFilter { category: Some(category.to_owned()), ..ProductFilter::default() }).await,
            ids,
            "{category}"
        );
    }
    assert_eq!(
        found(&fixture, &ProductFilter { brand: Some("leaf".to_owned()), ..ProductFilter::default() }).await,
        [9, 10]
    );
    fixture.products.update(ProductId::new(1), &deactivation).await.unwrap();
    assert_eq!(fixture.products.categories().await.unwrap(), ["Cafe", "Café", "Kitchen", "TEA POTS", "Zoë"]);
}

pub(crate) async fn rows_of_the_previous_version_are_indexed(fixture: Fixture) {
    let id = add(&fixture, "Mug", "Glazed", "Kitchen").await;
    fixture
        .execute(
            "UPDATE products SET name = 'Crème', description = 'Brûlée', search = 'crème brûlée', category = 'Süßes',
             brand = 'Äther' WHERE id = 1",
        )
        .await;
    fixture.execute(
        "INSERT INTO products (name, description, search, price, category, sku, initial, stock_quantity, created_at,
             updated_at)
         SELECT 'Crêpe', '', 'crêpe', price, 'süßes', 'Å', 0, 0, created_at, updated_at FROM products WHERE id = 1",
    )
    .await;
    let products = &fixture.products;
    assert_eq!(search(&fixture, "mug").await, [0; 0], "a text that the product no longer has");
    assert_eq!(products.index_pending(1).await.unwrap(), 1);
    assert_eq!(products.index_pending(10).await.unwrap(), 1);
    assert_eq!(products.index_pending(10).await.unwrap(), 0);
    assert_eq!(search(&fixture, "creme").await, [id]);
    assert_eq!(search(&fixture, "crep").await, [id + 1]);
    assert_eq!(
        found(&fixture, &ProductFilter { category: Some("SÜßES".to_owned()), ..ProductFilter::default() }).await,
        [id, id + 1]
    );
    assert_eq!(
        (products.categories().await.unwrap(), products.brands().await.unwrap()),
        (vec!["Süßes".to_owned()], vec!["Äther".to_owned()])
    );
    let expected = Spellings {
        categories: vec!["Süßes".to_owned(), "süßes".to_owned()],
        brands: vec!["Äther".to_owned()],
        skus: vec!["Å".to_owned()],
    };
    assert_eq!(products.spellings().await.unwrap(), expected);
}

pub(crate) async fn product_has_at_most_one_primary_image(fixture: Fixture) {
    let (products, id) = (&fixture.products, fixture.product(1).await);
    let effects = |product: &Product| some_event(product.id);
    let first = products.add_image(id, &image(true), later(1), &effects).await.unwrap().unwrap();
    let second = products.add_image(id, &image(true), later(2), &effects).await.unwrap().unwrap();
    let product = products.find(id).await.unwrap().unwrap();
    let primary: Vec<_> = product.images.iter().map(|image| (image.id, image.primary)).collect();
    assert_eq!((primary, product.updated_at), (vec![(first.id, false), (second.id, true)], later(2)));
    let other = fixture.product(1).await;
    assert!(!products.remove_image(other, second.id, START, &effects).await.unwrap());
    assert!(products.remove_image(id, second.id, later(3), &effects).await.unwrap());
    assert!(!products.remove_image(id, second.id, START, &effects).await.unwrap());
    assert_eq!((products.find(id).await.unwrap().unwrap().images.len(), fixture.pending().await), (1, 3));
}

fn image(primary: bool) -> NewImage {
    NewImage { url: "https://example.com/a.png".to_owned(), alt_text: None, primary }
}
