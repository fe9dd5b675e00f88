use common::effects::Effects;
use contracts::calls::Product;
use contracts::{ImageId, Money, ProductId};
use product_service::domain::{Listing, NewImage, NewProduct, ProductChanges, Shelf, Sort};
use product_service::store::{Change, Spellings};

use super::{Fixture, START, later, new, page, silent, told};

pub(crate) async fn a_product_is_read_as_it_was_created(on: Fixture) {
    let new = NewProduct { brand: Some("Clay".to_owned()), sku: Some("M1".to_owned()), ..new("Mug") };
    let created = on.stores.catalogue.create(&new, START, &|product| told(product.id)).await.unwrap();
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
    assert_eq!(on.stores.catalogue.find(created.id).await.unwrap(), Some(created.clone()));
    assert_eq!(on.stores.catalogue.id_of_sku("M1").await.unwrap(), Some(created.id));
    assert_eq!(on.pending().await, 1);
    on.stores.catalogue.ping().await.unwrap();
}

pub(crate) async fn what_is_not_known_is_none(on: Fixture) {
    let (catalogue, nobody) = (&on.stores.catalogue, ProductId::new(77));
    assert_eq!(catalogue.find(nobody).await.unwrap(), None);
    assert_eq!(catalogue.id_of_sku("M1").await.unwrap(), None);
    assert_eq!(catalogue.batch(&[nobody]).await.unwrap(), []);
    let change: &Change<'_> = &|_| Some(Effects::none());
    assert_eq!(catalogue.change(nobody, change).await.unwrap(), None);
    assert_eq!(catalogue.add_image(nobody, &image(true), START, &silent).await.unwrap(), None);
    assert!(!catalogue.remove_image(nobody, ImageId::new(1), START, &silent).await.unwrap());
    assert_eq!(on.pending().await, 0);
}

pub(crate) async fn a_sku_is_one_products(on: Fixture) {
    let catalogue = &on.stores.catalogue;
    let with_sku = NewProduct { sku: Some("M1".to_owned()), ..new("Mug") };
    catalogue.create(&with_sku, START, &silent).await.unwrap();
    let refused = catalogue.create(&with_sku, START, &|product| told(product.id)).await.unwrap_err();
    assert_eq!(refused.unique(), Some("products.sku"));
    let other = catalogue.create(&new("Cup"), START, &silent).await.unwrap();
    let take = |product: &mut Product| {
        product.sku = Some("M1".to_owned());
        Some(told(product.id))
    };
    let refused = catalogue.change(other.id, &take).await.unwrap_err();
    assert_eq!(refused.unique(), Some("products.sku"));
    assert_eq!(catalogue.find(other.id).await.unwrap(), Some(other));
    assert_eq!(on.pending().await, 0);
}

pub(crate) async fn sku_of_an_inactive_product_is_free(on: Fixture) {
    let catalogue = &on.stores.catalogue;
    let with_sku = NewProduct { sku: Some("M1".to_owned()), ..new("Mug") };
    let activate = async |id: ProductId, active: bool| {
        let changes = ProductChanges { active: Some(active), ..ProductChanges::default() };
        let change = |product: &mut Product| changes.apply(product, later(1)).then(Effects::none);
        catalogue.change(id, &change).await.map(Option::unwrap)
    };
    let first = catalogue.create(&with_sku, START, &silent).await.unwrap().id;
    assert_eq!(activate(first, false).await.unwrap().sku.as_deref(), Some("M1"));
    assert_eq!(catalogue.id_of_sku("M1").await.unwrap(), Some(first));
    let second = catalogue.create(&with_sku, START, &silent).await.unwrap().id;
    assert_eq!(catalogue.id_of_sku("M1").await.unwrap(), Some(second));
    assert_eq!(catalogue.find(first).await.unwrap().unwrap().sku.as_deref(), Some("M1"));

    let refused = activate(first, true).await.unwrap_err();
    assert_eq!(refused.unique(), Some("products.sku"));
    assert!(!catalogue.find(first).await.unwrap().unwrap().active);
    let rename = |product: &mut Product| {
        product.name = "Cup".to_owned();
        Some(Effects::none())
    };
    catalogue.change(first, &rename).await.unwrap().unwrap();

    activate(second, false).await.unwrap();
    assert_eq!(catalogue.id_of_sku("M1").await.unwrap(), Some(second), "the last that had it");
    let active = activate(first, true).await.unwrap();
    assert_eq!((active.sku.as_deref(), active.active), (Some("M1"), true));
    assert_eq!(catalogue.id_of_sku("M1").await.unwrap(), Some(first));
    let clear = |product: &mut Product| {
        product.sku = None;
        Some(Effects::none())
    };
    for id in [first, second] {
        catalogue.change(id, &clear).await.unwrap().unwrap();
        assert_eq!(catalogue.find(id).await.unwrap().unwrap().sku, None);
    }
    assert_eq!(catalogue.id_of_sku("M1").await.unwrap(), None);
}

pub(crate) async fn skus_of_the_version_before_are_released(on: Fixture) {
    let catalogue = &on.stores.catalogue;
    let with_sku = NewProduct { sku: Some("M1".to_owned()), ..new("Mug") };
    let first = catalogue.create(&with_sku, START, &silent).await.unwrap().id;
    on.execute("UPDATE products SET name = 'Mug', sku = 'M1', active = (1 = 0) WHERE id = 1").await;
    let second = catalogue.create(&with_sku, START, &silent).await.unwrap().id;
    assert_eq!(catalogue.find(first).await.unwrap().unwrap().sku.as_deref(), Some("M1"));
    assert_eq!(catalogue.id_of_sku("M1").await.unwrap(), Some(second));
    on.execute("UPDATE products SET name = 'Mug', sku = NULL, active = (1 = 0) WHERE id = 2").await;
    assert_eq!(catalogue.find(second).await.unwrap().unwrap().sku.as_deref(), None, "it was cleared before");
    on.execute("UPDATE products SET name = 'Mug', sku = NULL, active = (1 = 1) WHERE id = 1").await;
    assert_eq!(catalogue.find(first).await.unwrap().unwrap().sku.as_deref(), Some("M1"), "it takes its sku back");
    let refused = catalogue.create(&with_sku, START, &silent).await.unwrap_err();
    assert_eq!(refused.unique(), Some("products.sku"));
    on.execute("UPDATE products SET sku = 'e\u{301}' WHERE id = 1").await;
    assert_eq!(catalogue.id_of_sku("\u{e9}").await.unwrap(), Some(first), "a form that is no longer written");
}

pub(crate) async fn only_what_describes_a_product_is_changed(on: Fixture) {
    let id = on.product(5).await;
    let changes = ProductChanges { name: Some("CUP".to_owned()), active: Some(false), ..ProductChanges::default() };
    let change = |product: &mut Product| {
        product.stock_quantity = 99;
        product.review_count = 9;
        changes.apply(product, later(1)).then(|| told(product.id))
    };
    on.stores.catalogue.change(id, &change).await.unwrap().unwrap();
    let after = on.stores.catalogue.find(id).await.unwrap().unwrap();
    assert_eq!((after.name.as_str(), after.active, after.updated_at), ("CUP", false, later(1)));
    assert_eq!((after.stock_quantity, after.review_count), (5, 0));
    assert_eq!(on.pending().await, 1);
}

pub(crate) async fn nothing_is_written_where_nothing_is_decided(on: Fixture) {
    let id = on.product(5).await;
    let before = on.stores.catalogue.find(id).await.unwrap();
    let change = |product: &mut Product| {
        product.name = "Cup".to_owned();
        None
    };
    on.stores.catalogue.change(id, &change).await.unwrap();
    assert_eq!(on.stores.catalogue.find(id).await.unwrap(), before);
}

pub(crate) async fn a_catalogue_is_filled_once(on: Fixture) {
    let all = [new("Mug"), new("Cup")];
    let tell = |product: &Product| told(product.id);
    assert!(on.stores.catalogue.begin_with(&all, START, &tell).await.unwrap());
    assert!(!on.stores.catalogue.begin_with(&all, START, &tell).await.unwrap());
    let list = on.stores.catalogue.list(&Shelf::default(), Listing::By(Sort::default()), page(0, 20)).await.unwrap();
    let names: Vec<_> = list.data.iter().map(|product| product.name.as_str()).collect();
    assert_eq!((names, on.pending().await), (vec!["Mug", "Cup"], 2));
}

pub(crate) async fn a_batch_has_active_products_once_by_id(on: Fixture) {
    let ids = [on.product(1).await, on.product(1).await, on.product(1).await];
    let hide = |product: &mut Product| ProductChanges::hide().apply(product, START).then(Effects::none);
    on.stores.catalogue.change(ids[1], &hide).await.unwrap();
    let batch = on.stores.catalogue.batch(&[ids[2], ids[1], ids[0], ids[2]]).await.unwrap();
    assert_eq!(batch.iter().map(|product| product.id).collect::<Vec<_>>(), [ids[0], ids[2]]);
    assert_eq!(on.stores.catalogue.batch(&[]).await.unwrap(), []);
}

pub(crate) async fn a_list_is_narrowed_sorted_and_cut(on: Fixture) {
    let catalogue = &on.stores.catalogue;
    for (name, cents, brand, stock) in [
        ("100% Wolle", 300, Some("B"), 0),
        ("ÄPFEL", 100, Some("A"), 2),
        ("a_b\\c", 200, None, 3),
        ("Mug", 100, Some("B"), 1),
    ] {
        let brand = brand.map(str::to_owned);
        let price = Money::from_cents(cents);
        let new = NewProduct { price, brand, stock_quantity: stock, description: ".".to_owned(), ..new(name) };
        catalogue.create(&new, START, &silent).await.unwrap();
    }
    let found = async |shelf: Shelf, sort: &str| {
        let by = Listing::By(Sort::parse(sort).unwrap());
        let list = catalogue.list(&shelf, by, page(0, 20)).await.unwrap();
        assert_eq!(list.total_elements, i64::try_from(list.data.len()).unwrap());
        list.data.iter().map(|product| product.id.get()).collect::<Vec<_>>()
    };
    let search = |text: &str| Shelf { search: Some(text.to_owned()), ..Shelf::default() };
    for (text, ids) in
        [("%", vec![1]), ("äpf", vec![2]), ("_", vec![3]), ("\\", vec![3]), ("wOLLE", vec![1]), ("x", vec![])]
    {
        assert_eq!(found(search(text), "id").await, ids, "{text}");
    }
    let cents = |cents| Some(Money::from_cents(cents));
    assert_eq!(found(Shelf { min_price: cents(200), ..Shelf::default() }, "price").await, [3, 1]);
    assert_eq!(found(Shelf { max_price: cents(200), ..Shelf::default() }, "price,desc").await, [3, 2, 4]);
    assert_eq!(found(Shelf { brand: Some("B".to_owned()), ..Shelf::default() }, "name").await, [1, 4]);
    assert_eq!(found(Shelf { in_stock: true, ..Shelf::default() }, "stockQuantity,desc").await, [3, 2, 4]);
    assert_eq!(found(Shelf { category: Some("kitchens".to_owned()), ..Shelf::default() }, "id").await, [0; 0]);
    let second = catalogue.list(&Shelf::default(), Listing::Latest, page(1, 3)).await.unwrap();
    assert_eq!((second.data[0].id.get(), second.total_elements, second.total_pages), (1, 4, 2));
    let beyond = catalogue.list(&Shelf::default(), Listing::TopRated, page(i64::MAX, 100)).await.unwrap();
    assert_eq!((beyond.data.len(), beyond.total_elements), (0, 4));
    assert_eq!(catalogue.brands().await.unwrap(), ["A", "B"]);
    assert_eq!(catalogue.categories().await.unwrap(), ["Kitchen"]);
}

async fn found(on: &Fixture, shelf: &Shelf) -> Vec<i64> {
    let list = on.stores.catalogue.list(shelf, Listing::By(Sort::default()), page(0, 100)).await.unwrap();
    let ids: Vec<_> = list.data.iter().map(|product| product.id.get()).collect();
    assert_eq!(list.total_elements, i64::try_from(ids.len()).unwrap());
    ids
}

async fn search(on: &Fixture, text: &str) -> Vec<i64> {
    found(on, &Shelf { search: Some(text.to_owned()), ..Shelf::default() }).await
}

async fn add(on: &Fixture, name: &str, description: &str, category: &str) -> i64 {
    let (description, category) = (description.to_owned(), category.to_owned());
    let new = NewProduct { description, category, ..new(name) };
    on.stores.catalogue.create(&new, START, &silent).await.unwrap().id.get()
}

pub(crate) async fn search_ignores_case_and_diacritics(on: Fixture) {
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
        add(&on, name, description, "Kitchen").await;
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
        assert_eq!(search(&on, text).await, ids, "{text}");
    }
    assert_eq!(search(&on, "É").await, search(&on, "e").await);
}

pub(crate) async fn search_takes_every_character_for_itself(on: Fixture) {
    for name in
        ["100% wool", "snake_case", "back\\slash", "say \"cheese\" now", "it's * OR NOT -x", "^a:b{c}", "日本語の本"]
    {
        add(&on, name, ".", "Kitchen").await;
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
        assert_eq!(search(&on, text).await, ids, "{text}");
    }
}

pub(crate) async fn search_follows_changes(on: Fixture) {
    let id = add(&on, "Blue Mug", "Glazed", "Kitchen").await;
    let rename = |name: &'static str, active: bool| ProductChanges {
        name: Some(name.to_owned()),
        active: Some(active),
        ..ProductChanges::default()
    };
    let write = async |changes: ProductChanges| {
        let change = |product: &mut Product| changes.apply(product, later(1)).then(Effects::none);
        on.stores.catalogue.change(ProductId::new(id), &change).await.unwrap().unwrap();
    };
    for (name, mug, cup) in [("Red Cup", &[][..], &[1][..]), ("Red Mug Cup", &[1], &[1]), ("Blue Mug", &[1], &[])] {
        write(rename(name, true)).await;
        assert_eq!(search(&on, "mug").await, mug, "{name}");
        assert_eq!(search(&on, "CUP").await, cup, "{name}");
    }
    on.stores.stock.adjust(ProductId::new(id), 1, START, &silent).await.unwrap();
    assert_eq!(search(&on, "mug").await, [1]);
    write(rename("Blue Mug", false)).await;
    assert_eq!(search(&on, "mug").await, [0; 0]);
    assert_eq!(on.stores.catalogue.index_pending(10).await.unwrap(), 0);
}

pub(crate) async fn spellings_that_look_the_same_are_one_category(on: Fixture) {
    for category in ["Tea Pots", "TEA POTS", "tea  pots", "Ｔea\u{a0}pots", "Café", "Cafe\u{301}", "Cafe", "Zoë"] {
        add(&on, "X", ".", category).await;
    }
    let brands = ["Leaf", "LEAF", "Läf"].map(|brand| Some(brand.to_owned()));
    for brand in brands {
        on.stores.catalogue.create(&NewProduct { brand, ..new("X") }, START, &silent).await.unwrap();
    }
    assert_eq!(on.stores.catalogue.categories().await.unwrap(), ["Cafe", "Café", "Kitchen", "Tea Pots", "Zoë"]);
    assert_eq!(on.stores.catalogue.brands().await.unwrap(), ["Leaf", "Läf"]);
    for (category, ids) in
        [(" tea pots ", &[1, 2, 3, 4][..]), ("CAFÉ", &[5, 6]), ("cafe", &[7]), ("tea", &[]), ("", &[])]
    {
        assert_eq!(
            found(&on, &Shelf { category: Some(category.to_owned()), ..Shelf::default() }).await,
            ids,
            "{category}"
        );
    }
    assert_eq!(found(&on, &Shelf { brand: Some("leaf".to_owned()), ..Shelf::default() }).await, [9, 10]);
    let hide = |product: &mut Product| ProductChanges::hide().apply(product, START).then(Effects::none);
    on.stores.catalogue.change(ProductId::new(1), &hide).await.unwrap();
    assert_eq!(on.stores.catalogue.categories().await.unwrap(), ["Cafe", "Café", "Kitchen", "TEA POTS", "Zoë"]);
}

pub(crate) async fn rows_of_the_version_before_are_indexed(on: Fixture) {
    let id = add(&on, "Mug", "Glazed", "Kitchen").await;
    on.execute(
        "UPDATE products SET name = 'Crème', description = 'Brûlée', search = 'crème brûlée', category = 'Süßes',
             brand = 'Äther' WHERE id = 1",
    )
    .await;
    on.execute(
        "INSERT INTO products (name, description, search, price, category, sku, initial, stock_quantity, created_at,
             updated_at)
         SELECT 'Crêpe', '', 'crêpe', price, 'süßes', 'Å', 0, 0, created_at, updated_at FROM products WHERE id = 1",
    )
    .await;
    let catalogue = &on.stores.catalogue;
    assert_eq!(search(&on, "mug").await, [0; 0], "a text that the product no longer has");
    assert_eq!(catalogue.index_pending(1).await.unwrap(), 1);
    assert_eq!(catalogue.index_pending(10).await.unwrap(), 1);
    assert_eq!(catalogue.index_pending(10).await.unwrap(), 0);
    assert_eq!(search(&on, "creme").await, [id]);
    assert_eq!(search(&on, "crep").await, [id + 1]);
    assert_eq!(found(&on, &Shelf { category: Some("SÜßES".to_owned()), ..Shelf::default() }).await, [id, id + 1]);
    assert_eq!(
        (catalogue.categories().await.unwrap(), catalogue.brands().await.unwrap()),
        (vec!["Süßes".to_owned()], vec!["Äther".to_owned()])
    );
    let expected = Spellings {
        categories: vec!["Süßes".to_owned(), "süßes".to_owned()],
        brands: vec!["Äther".to_owned()],
        skus: vec!["Å".to_owned()],
    };
    assert_eq!(catalogue.spellings().await.unwrap(), expected);
}

pub(crate) async fn a_product_has_one_primary_picture_at_most(on: Fixture) {
    let (catalogue, id) = (&on.stores.catalogue, on.product(1).await);
    let tell = |product: &Product| told(product.id);
    let first = catalogue.add_image(id, &image(true), later(1), &tell).await.unwrap().unwrap();
    let second = catalogue.add_image(id, &image(true), later(2), &tell).await.unwrap().unwrap();
    let product = catalogue.find(id).await.unwrap().unwrap();
    let primary: Vec<_> = product.images.iter().map(|image| (image.id, image.primary)).collect();
    assert_eq!((primary, product.updated_at), (vec![(first.id, false), (second.id, true)], later(2)));
    let other = on.product(1).await;
    assert!(!catalogue.remove_image(other, second.id, START, &tell).await.unwrap());
    assert!(catalogue.remove_image(id, second.id, later(3), &tell).await.unwrap());
    assert!(!catalogue.remove_image(id, second.id, START, &tell).await.unwrap());
    assert_eq!((catalogue.find(id).await.unwrap().unwrap().images.len(), on.pending().await), (1, 3));
}

fn image(primary: bool) -> NewImage {
    NewImage { url: "https://example.com/a.png".to_owned(), alt_text: None, primary }
}
