//! Pages of lists.

use common::database::{Dialect, IntoValue as _, Listing, OrderBy, Period, Row, Value, query};
use contracts::OrderId;

use crate::support::{at, fixtures};

const NEWEST: &[OrderBy] = &[OrderBy::desc("small"), OrderBy::desc("number")];
const MIXED: &[OrderBy] = &[OrderBy::asc("small"), OrderBy::desc("number")];

fn numbers(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|row| row.get("number").unwrap()).collect()
}

/// Returns the values of a row in the columns of an order.
fn position(row: &Row) -> [Value<'static>; 2] {
    [row.get::<i64>("small").unwrap().into_value(), row.get::<i64>("number").unwrap().into_value()]
}

#[tokio::test]
async fn pages_have_the_order_the_filters_and_the_count_of_the_list() {
    for fixture in fixtures().await {
        let mut tx = fixture.db.begin().await.unwrap();
        for number in 0..20_i64 {
            query("INSERT INTO things (id, number, small, name, done) VALUES ($1, $2, $3, $4, $5)")
                .bind(OrderId::generate(at(number)))
                .bind(number)
                .bind(number / 4)
                .bind(if number % 2 == 0 { "even" } else { "odd" })
                .bind(number != 18)
                .execute(&mut tx)
                .await
                .unwrap();
        }
        let mut list = Listing::new("number, small", "things", NEWEST);
        list.filter("name = ?", Some("even")).filter("small >= ?", None::<i64>).condition("done");
        let page = list.fetch_page(&mut tx, 2, 3).await.unwrap();
        assert_eq!((numbers(&page.rows), page.total), (vec![12, 10, 8], 9));
        let beyond = list.fetch_page(&mut tx, 20, 3).await.unwrap();
        assert_eq!((numbers(&beyond.rows), beyond.total), (vec![], 9));

        // The whole list in pages by key, in orders of one direction and of two.
        for order in [NEWEST, MIXED] {
            let mut list = Listing::new("number, small", "things", order);
            list.filter("number <= ?", Some(17_i64));
            let all = numbers(&list.page(0, 100).fetch_all(&mut tx).await.unwrap());
            assert_eq!(all.len(), 18);
            let mut rows = list.page(0, 5).fetch_all(&mut tx).await.unwrap();
            let mut seen = Vec::new();
            while let Some(last) = rows.last() {
                seen.extend(numbers(&rows));
                rows = list.after(&position(last), 5).fetch_all(&mut tx).await.unwrap();
            }
            assert_eq!(seen, all);
        }
    }
}

#[test]
fn keyset_compares_rows_where_the_order_has_one_direction() {
    let list = Listing::new("number", "things", NEWEST);
    let text = list.after(&[1_i64.into_value(), 2_i64.into_value()], 5).text(Dialect::POSTGRES);
    assert_eq!(
        text,
        "SELECT number FROM things WHERE (small, number) < ($1, $2) ORDER BY small DESC, number DESC LIMIT $3"
    );
}

#[test]
fn period_includes_its_start_and_not_its_end() {
    let count = |period| {
        let mut list = Listing::new("number", "things", NEWEST);
        list.filter("done = ?", Some(true)).within("at", period);
        list.count().text(Dialect::SQLITE)
    };
    let all = "SELECT count(*) FROM things WHERE done = $1";
    let (from, to) = (Some(at(1)), Some(at(2)));
    assert_eq!(count(Period::default()), all);
    assert_eq!(count(Period { from, to: None }), format!("{all} AND at >= $2"));
    assert_eq!(count(Period { from: None, to }), format!("{all} AND at < $2"));
    assert_eq!(count(Period { from, to }), format!("{all} AND at >= $2 AND at < $3"));
}
