//! Parameters, columns, fragments and errors.

use chrono::{DateTime, TimeDelta, Utc};
use common::database::StoreError;
use common::database::transaction_effects::Effects;
use common::database::{Connection, Database, Dialect, Statement, map_constraint, query};
use contracts::{Money, OrderId, ProductId};

use crate::support::{at, fixtures};

async fn insert(connection: &mut Connection, id: OrderId, number: i64, name: Option<&str>) -> Result<u64, StoreError> {
    let insert = query("INSERT INTO things (id, number, name) VALUES ($1, $2, $3)");
    insert.bind(id).bind(number).bind(name).execute(connection).await
}

#[tokio::test]
async fn placeholders_may_repeat_and_come_in_any_order() {
    for fixture in fixtures().await {
        let mut connection = fixture.db.reader().await.unwrap();
        // PostgreSQL takes the type of an untyped expression from its parameter.
        let row = query("SELECT $3 AS third, $1 AS first, $2 AS second, $1 AS again, $12 AS twelfth, $4, $5, $6, $7, $8, $9, $10, $11")
            .bind(1_i64)
            .bind("two")
            .bind(3_i64)
            .bind(4_i64)
            .bind(5_i64)
            .bind(6_i64)
            .bind(7_i64)
            .bind(8_i64)
            .bind(9_i64)
            .bind(10_i64)
            .bind(11_i64)
            .bind("twelve")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!((row.get::<i64>("first").unwrap(), row.get::<i64>("again").unwrap()), (1, 1));
        assert_eq!((row.get::<&str>("second").unwrap(), row.get::<i64>("third").unwrap()), ("two", 3));
        assert_eq!(row.get::<String>("twelfth").unwrap(), "twelve");
        assert_eq!(row.get::<i64>(12).unwrap(), 11);
    }
}

#[tokio::test]
async fn values_of_each_type_come_back_as_they_were_bound() {
    const INSERT: &str = "INSERT INTO things (id, number, name, raw, done, at, small, owner)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    for fixture in fixtures().await {
        let mut db = fixture.db.writer().await.unwrap();
        let (full, empty) = (OrderId::generate(at(0)), OrderId::generate(at(1)));
        let time = at(0) + TimeDelta::milliseconds(123);
        query(INSERT)
            .bind(full)
            .bind(Money::from_cents(12_34))
            .bind("O'Brien ✓ \"$1\" ?")
            .bind(&[0_u8, 255, 7][..])
            .bind(true)
            .bind(time)
            .bind(7_u16)
            .bind(Some(full))
            .execute(&mut db)
            .await
            .unwrap();
        query(INSERT)
            .bind(empty)
            .bind(ProductId::new(2))
            .bind(None::<String>)
            .bind(None::<&[u8]>)
            .bind(None::<bool>)
            .bind(None::<DateTime<Utc>>)
            .bind(None::<u16>)
            .bind(None::<OrderId>)
            .execute(&mut db)
            .await
            .unwrap();
        let rows = query("SELECT * FROM things ORDER BY number DESC").fetch_all(&mut db).await.unwrap();
        let [row, null] = &rows[..] else { panic!("two rows") };
        assert_eq!(
            (row.get::<OrderId>("id").unwrap(), row.get::<Option<OrderId>>("owner").unwrap()),
            (full, Some(full))
        );
        assert_eq!(row.get::<Money>("number").unwrap(), Money::from_cents(12_34));
        assert_eq!(row.get::<&str>("name").unwrap(), "O'Brien ✓ \"$1\" ?");
        assert_eq!(row.get::<Vec<u8>>("raw").unwrap(), [0, 255, 7]);
        assert_eq!((row.get::<bool>("done").unwrap(), row.get::<u32>("small").unwrap()), (true, 7));
        assert_eq!(row.get::<DateTime<Utc>>("at").unwrap(), time);
        assert_eq!(null.get::<ProductId>("number").unwrap(), ProductId::new(2));
        assert_eq!(null.get::<Option<String>>("name").unwrap(), None);
        assert_eq!(null.get::<Option<Vec<u8>>>("raw").unwrap(), None);
        assert_eq!(null.get::<Option<bool>>("done").unwrap(), None);
        assert_eq!(null.get::<Option<DateTime<Utc>>>("at").unwrap(), None);
        assert_eq!(null.get::<Option<u16>>("small").unwrap(), None);
        assert_eq!(null.get::<Option<OrderId>>("owner").unwrap(), None);
        for wrong in [
            null.get::<DateTime<Utc>>("at").unwrap_err(),
            null.get::<String>("name").unwrap_err(),
            row.get::<bool>("name").unwrap_err(),
            row.parse::<OrderId>("name").unwrap_err(),
            row.get::<i64>("name").unwrap_err(),
        ] {
            assert!(matches!(wrong, StoreError::Decode(_)), "{wrong:?}");
        }
        assert!(matches!(row.get::<i64>("absent").unwrap_err(), StoreError::Internal(_)));
    }
}

#[tokio::test]
async fn stored_forms_are_those_of_earlier_versions() {
    for fixture in fixtures().await {
        let mut db = fixture.db.writer().await.unwrap();
        let id = OrderId::generate(at(0));
        let stored = query("INSERT INTO things (id, number, at, done) VALUES ($1, 1, $2, $3)");
        stored.bind(id).bind(at(5)).bind(true).execute(&mut db).await.unwrap();
        let row =
            query("SELECT CAST(id AS TEXT), at, CAST(done AS INTEGER) FROM things").fetch_one(&mut db).await.unwrap();
        assert_eq!(row.get::<String>(0).unwrap(), id.to_string(), "text in SQLite, and shown like that by PostgreSQL");
        assert_eq!(row.get::<i64>(2).unwrap(), 1);
        let millis = row.get::<i64>(1);
        match fixture.db.dialect().name() {
            "sqlite" => assert_eq!(millis.unwrap(), at(5).timestamp_millis()),
            _ => assert!(millis.is_err(), "PostgreSQL has a type of its own"),
        }
    }
}

#[tokio::test]
async fn any_finds_the_elements_of_arrays() {
    static BY_ID: Statement =
        Statement::new(|db| format!("SELECT number FROM things WHERE id {} ORDER BY number", db.any("$1")));
    static BY_NUMBER: Statement =
        Statement::new(|db| format!("SELECT number FROM things WHERE number {} ORDER BY number", db.any("$1")));
    static BY_NAME: Statement =
        Statement::new(|db| format!("SELECT number FROM things WHERE name {} ORDER BY number", db.any("$1")));
    static FIRST_TWO: Statement = Statement::new(|db| {
        let first = format!("SELECT id FROM things ORDER BY number LIMIT $1 {}", db.row_lock("FOR UPDATE SKIP LOCKED"));
        format!("UPDATE things SET name = 'first' WHERE id {} RETURNING number", db.any(&first))
    });
    for fixture in fixtures().await {
        let mut db = fixture.db.writer().await.unwrap();
        let ids: Vec<_> = (0..4).map(|second| OrderId::generate(at(second))).collect();
        for (number, id) in (0_i64..).zip(&ids) {
            insert(&mut db, *id, number, Some(&format!("\"{number}\", '"))).await.unwrap();
        }
        let numbers: Vec<i64> = query(&BY_ID).bind(&ids[1..3]).fetch_scalars(&mut db).await.unwrap();
        assert_eq!(numbers, [1, 2]);
        let none: Vec<i64> = query(&BY_ID).bind(&ids[..0]).fetch_scalars(&mut db).await.unwrap();
        assert!(none.is_empty());
        let numbers: Vec<i64> = query(&BY_NUMBER).bind(vec![3_i64, 0, 99]).fetch_scalars(&mut db).await.unwrap();
        assert_eq!(numbers, [0, 3]);
        let names = ["\"2\", '".to_owned(), "absent".to_owned()];
        let numbers: Vec<i64> = query(&BY_NAME).bind(&names[..]).fetch_scalars(&mut db).await.unwrap();
        assert_eq!(numbers, [2]);
        let mut numbers: Vec<i64> = query(&FIRST_TWO).bind(2_i64).fetch_scalars(&mut db).await.unwrap();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1]);
    }
}

#[tokio::test]
async fn greatest_takes_null_for_nothing() {
    static GREATEST: Statement = Statement::new(|db| format!("SELECT {} FROM things", db.greatest("number", "small")));
    for fixture in fixtures().await {
        let mut db = fixture.db.writer().await.unwrap();
        insert(&mut db, OrderId::generate(at(0)), 5, None).await.unwrap();
        assert_eq!(query(&GREATEST).fetch_scalar::<i64>(&mut db).await.unwrap(), 5);
        for (small, greatest) in [(3_i64, 5), (9, 9)] {
            query("UPDATE things SET small = $1").bind(small).execute(&mut db).await.unwrap();
            assert_eq!(query(&GREATEST).fetch_scalar::<i64>(&mut db).await.unwrap(), greatest);
        }
    }
}

#[tokio::test]
async fn broken_constraints_have_the_names_of_the_port() {
    const NUMBER: &str = "things.number";
    for fixture in fixtures().await {
        let mut db = fixture.db.writer().await.unwrap();
        insert(&mut db, OrderId::generate(at(0)), 1, None).await.unwrap();
        let error = insert(&mut db, OrderId::generate(at(0)), 1, None).await.unwrap_err();
        let error = map_constraint(error, &[("things_number", NUMBER)]);
        assert_eq!(error.unique(), Some(NUMBER), "{error:?}");
        let other = map_constraint(StoreError::LeaseLost, &[("things_number", NUMBER)]);
        assert!(matches!(other, StoreError::LeaseLost));
    }
}

#[tokio::test]
async fn transactions_are_atomic_and_rolled_back_when_dropped() {
    for fixture in fixtures().await {
        let db = &fixture.db;
        let count = async || {
            let mut tx = db.snapshot().await.unwrap();
            let count: i64 = query("SELECT count(*) FROM things").fetch_scalar(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
            count
        };
        let mut dropped = db.begin().await.unwrap();
        insert(&mut dropped, OrderId::generate(at(0)), 1, None).await.unwrap();
        drop(dropped);
        let mut rolled_back = db.begin().await.unwrap();
        insert(&mut rolled_back, OrderId::generate(at(0)), 1, None).await.unwrap();
        rolled_back.rollback().await.unwrap();
        assert_eq!(count().await, 0);
        let mut committed = db.begin().await.unwrap();
        insert(&mut committed, OrderId::generate(at(0)), 1, None).await.unwrap();
        db.commit(committed, &Effects::none()).await.unwrap();
        assert_eq!(count().await, 1);
        db.ping().await.unwrap();
    }
}

#[tokio::test]
async fn snapshot_sees_one_moment() {
    for fixture in fixtures().await {
        let mut snapshot = fixture.db.snapshot().await.unwrap();
        let count = "SELECT count(*) FROM things";
        assert_eq!(query(count).fetch_scalar::<i64>(&mut snapshot).await.unwrap(), 0);
        insert(&mut fixture.db.writer().await.unwrap(), OrderId::generate(at(0)), 1, None).await.unwrap();
        assert_eq!(query(count).fetch_scalar::<i64>(&mut snapshot).await.unwrap(), 0);
        snapshot.commit().await.unwrap();
        let mut reader = fixture.db.reader().await.unwrap();
        assert_eq!(query(count).fetch_scalar::<i64>(&mut reader).await.unwrap(), 1);
    }
}

/// Adds one to a counter in a transaction that reads it first.
async fn increment(db: &Database, by_name: bool) {
    static LOCKED: Statement =
        Statement::new(|db| format!("SELECT small FROM things WHERE number = 1 {}", db.row_lock("FOR UPDATE")));
    let mut tx = db.begin().await.unwrap();
    let read = if by_name {
        tx.lock_name("the counter").await.unwrap();
        query("SELECT small FROM things WHERE number = 1")
    } else {
        query(&LOCKED)
    };
    let value: i64 = read.fetch_scalar(&mut tx).await.unwrap();
    query("UPDATE things SET small = $1 WHERE number = 1").bind(value + 1).execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn locked_rows_and_names_lose_no_update() {
    for fixture in fixtures().await {
        let mut writer = fixture.db.writer().await.unwrap();
        insert(&mut writer, OrderId::generate(at(0)), 1, None).await.unwrap();
        for by_name in [false, true] {
            query("UPDATE things SET small = 0").execute(&mut writer).await.unwrap();
            let db = fixture.db.clone();
            // The writer of a SQLite file is one connection.
            let released = std::mem::replace(&mut writer, fixture.db.reader().await.unwrap());
            drop(released);
            let increments = (0..20).map(|_| {
                let db = db.clone();
                tokio::spawn(async move { increment(&db, by_name).await })
            });
            for increment in increments.collect::<Vec<_>>() {
                increment.await.unwrap();
            }
            writer = fixture.db.writer().await.unwrap();
            let sum: i64 = query("SELECT small FROM things").fetch_scalar(&mut writer).await.unwrap();
            assert_eq!(sum, 20, "{:?}", fixture.db);
        }
    }
}

#[tokio::test]
async fn first_rows_have_the_first_ids_after_an_attempt_was_rolled_back() {
    const INSERT: &str = "INSERT INTO numbered (name) VALUES ('x') RETURNING id";
    for fixture in fixtures().await {
        for expected in [true, true, false] {
            let mut tx = fixture.db.begin().await.unwrap();
            assert_eq!(tx.lock_if_empty("numbered").await.unwrap(), expected);
            if !expected {
                continue;
            }
            assert_eq!(query(INSERT).fetch_scalar::<i64>(&mut tx).await.unwrap(), 1);
            let first_attempt = query("SELECT count(*) FROM things").fetch_scalar::<i64>(&mut tx).await.unwrap() == 0;
            if first_attempt {
                tx.rollback().await.unwrap();
                insert(&mut fixture.db.writer().await.unwrap(), OrderId::generate(at(0)), 1, None).await.unwrap();
            } else {
                tx.commit().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn containing_takes_every_character_for_itself() {
    use common::database::{Listing, OrderBy};
    const TEXTS: [&str; 5] = ["100% cotton", "1000 cottons", "a_b\\c \"quoted\"", "axb", "√2 ≈ 1.41"];
    const BY_ID: &[OrderBy] = &[OrderBy::asc("id")];
    for fixture in fixtures().await {
        let mut tx = fixture.db.begin().await.unwrap();
        for (id, text) in (0_i64..).zip(TEXTS) {
            query("INSERT INTO texts (id, body) VALUES ($1, $2)").bind(id).bind(text).execute(&mut tx).await.unwrap();
        }
        for (text, expected) in [
            ("0% c", &[0_i64][..]),
            ("cotton", &[0, 1]),
            ("a_b", &[2]),
            ("b\\c", &[2]),
            ("\"quoted\"", &[2]),
            ("_", &[2]),
            ("%", &[0]),
            ("√2", &[4]),
            ("≈ 1.4", &[4]),
            ("Cotton", &[]),
        ] {
            let list = Listing::new("id", fixture.db.dialect().containing("texts", "id", "body", text), BY_ID);
            let page = list.fetch_page(&mut tx, 0, 10).await.unwrap();
            let ids: Vec<i64> = page.rows.iter().map(|row| row.get("id").unwrap()).collect();
            assert_eq!((ids.as_slice(), page.total), (expected, i64::try_from(expected.len()).unwrap()), "{text}");
        }
    }
}

#[test]
fn texts_of_statements_are_built_once_for_each_kind() {
    static STATEMENT: Statement = Statement::new(|db| format!("SELECT 1 {}", db.row_lock("FOR SHARE")));
    assert_eq!(STATEMENT.text(Dialect::POSTGRES), "SELECT 1 FOR SHARE");
    assert_eq!(STATEMENT.text(Dialect::SQLITE), "SELECT 1 ");
    assert!(std::ptr::eq(STATEMENT.text(Dialect::SQLITE), STATEMENT.text(Dialect::SQLITE)));
}
