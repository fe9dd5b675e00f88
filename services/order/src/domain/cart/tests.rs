use super::*;

const NOW: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();

fn line(product: i64, quantity: i64) -> CartLine {
    CartLine {
        product_id: ProductId::new(product),
        quantity,
        product_name: format!("Product {product}"),
        product_sku: None,
        unit_price: Money::from_cents(100),
    }
}

fn cart(lines: &[(i64, i64)]) -> Cart {
    let mut cart = Cart::new(CartId::from_random_bytes([7; 16]), None, DateTime::UNIX_EPOCH);
    cart.lines = lines.iter().map(|(product, quantity)| line(*product, *quantity)).collect();
    cart
}

fn quantities(lines: &[CartLine]) -> Vec<(i64, i64)> {
    lines.iter().map(|line| (line.product_id.get(), line.quantity)).collect()
}

#[test]
fn change_of_a_line_raises_the_version() {
    let mut cart = cart(&[(1, 1), (2, 1)]);
    cart.apply(&LineChange::Set(line(1, 5)), NOW).unwrap();
    cart.apply(&LineChange::Set(line(3, 2)), NOW).unwrap();
    cart.apply(&LineChange::Remove(ProductId::new(2)), NOW).unwrap();
    assert_eq!(quantities(&cart.lines), [(1, 5), (3, 2)]);
    assert_eq!((cart.version, cart.updated_at, cart.used_at), (4, NOW, NOW));
    assert_eq!((cart.quantity_of(ProductId::new(3)), cart.quantity_of(ProductId::new(2))), (2, 0));
}

#[test]
fn cart_has_at_most_fifty_lines() {
    let lines: Vec<_> = (1..=50).map(|product| (product, 1)).collect();
    let mut cart = cart(&lines);
    assert_eq!(cart.apply(&LineChange::Set(line(51, 1)), NOW), Err(OrderError::CartFull));
    assert_eq!(cart.version, 1);
    cart.apply(&LineChange::Set(line(50, 9)), NOW).unwrap();
    cart.apply(&LineChange::Remove(ProductId::new(1)), NOW).unwrap();
    cart.apply(&LineChange::Set(line(51, 1)), NOW).unwrap();
    assert_eq!(cart.lines.len(), 50);
}

#[test]
fn larger_quantity_wins_a_merge() {
    let mut cart = cart(&[(1, 3), (2, 1)]);
    let merged = cart.merge(vec![line(2, 4), line(1, 2), line(9, 1)], NOW);
    assert_eq!(quantities(&cart.lines), [(1, 3), (2, 4), (9, 1)]);
    assert_eq!((quantities(&merged.set), merged.dropped), (vec![(2, 4), (9, 1)], Vec::new()));
    assert_eq!((cart.version, cart.updated_at), (2, NOW));
}

#[test]
fn merge_without_a_new_line_or_quantity_keeps_the_version() {
    let mut cart = cart(&[(1, 3)]);
    assert_eq!(cart.merge(vec![line(1, 3)], NOW), MergedLines::default());
    assert_eq!((cart.version, cart.updated_at, cart.used_at), (1, DateTime::UNIX_EPOCH, NOW));
}

#[test]
fn lines_without_room_are_dropped_from_a_merge() {
    let lines: Vec<_> = (1..=49).map(|product| (product, 1)).collect();
    let mut cart = cart(&lines);
    let merged = cart.merge(vec![line(60, 1), line(61, 2), line(7, 5), line(62, 3)], NOW);
    assert_eq!(quantities(&merged.set), [(60, 1), (7, 5)]);
    assert_eq!(quantities(&merged.dropped), [(61, 2), (62, 3)]);
    assert_eq!(cart.lines.len(), 50);
}

#[test]
fn version_is_checked_before_emptiness() {
    let full = cart(&[(4, 2)]);
    let version = |version| CartVersion { version, ..full.reference() };
    assert_eq!(full.lines_to_order(version(1)).unwrap(), [Line { product_id: ProductId::new(4), quantity: 2 }]);
    assert_eq!(full.lines_to_order(version(2)), Err(OrderError::CartChanged));
    assert_eq!(cart(&[]).lines_to_order(version(2)), Err(OrderError::CartChanged));
    assert_eq!(cart(&[]).lines_to_order(version(1)), Err(OrderError::CartEmpty));
    let merged = CartVersion { id: CartId::from_random_bytes([8; 16]), version: 1 };
    assert_eq!(full.lines_to_order(merged), Err(OrderError::CartChanged), "an equal version of another cart");
}

#[test]
fn claimed_cart_is_usable_by_its_owner_only() {
    let [owner, other] = [1, 2].map(|seed| UserId::generate(NOW + chrono::TimeDelta::seconds(seed)));
    let unclaimed = cart(&[]);
    let claimed = Cart { user_id: Some(owner), ..unclaimed.clone() };
    assert!([None, Some(owner), Some(other)].into_iter().all(|user| unclaimed.is_usable_by(user)));
    assert!(claimed.is_usable_by(Some(owner)));
    assert!(!claimed.is_usable_by(Some(other)) && !claimed.is_usable_by(None));
}
