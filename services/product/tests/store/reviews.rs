use common::effects::Effects;
use common::store::StoreError;
use contracts::calls::{Product, Rating};
use contracts::{ProductId, ReviewId};
use product_service::domain::{NewReview, ProductChanges, Review};
use product_service::store::{AddOutcome, Removed};

use super::{Fixture, START, handled, later, page, user};

fn rated(rating: i64) -> NewReview {
    NewReview { user_id: user(), rating, title: Some("Good".to_owned()), comment: None }
}

async fn add(on: &Fixture, product: ProductId, new: &NewReview) -> Option<Review> {
    match on.stores.reviews.add(product, new, START, &Effects::none()).await.unwrap() {
        AddOutcome::Added(review) => Some(review),
        AddOutcome::ProductNotFound => None,
        AddOutcome::AuthorDeleted => panic!("the author was deleted"),
    }
}

async fn rating(on: &Fixture, product: ProductId) -> (Rating, i64) {
    let product = on.stores.catalogue.find(product).await.unwrap().unwrap();
    (product.average_rating, product.review_count)
}

pub(crate) async fn a_rating_follows_its_reviews(on: Fixture) {
    let id = on.product(1).await;
    let mut last = None;
    for (stars, hundredths, count) in [(5, 500, 1), (4, 450, 2), (4, 433, 3)] {
        last = add(&on, id, &rated(stars)).await;
        assert_eq!(rating(&on, id).await, (Rating::from_cents(hundredths), count));
    }
    let review = last.unwrap().id;
    on.stores.reviews.remove(id, review, &|_| true, &Effects::none()).await.unwrap();
    assert_eq!(rating(&on, id).await, (Rating::from_cents(450), 2));
}

pub(crate) async fn a_person_reviews_a_product_once(on: Fixture) {
    let (id, other, review) = (on.product(1).await, on.product(1).await, rated(5));
    add(&on, id, &review).await.unwrap();
    let refused = on.stores.reviews.add(id, &review, START, &Effects::none()).await.unwrap_err();
    assert_eq!(refused.unique(), Some("reviews.product_id, reviews.user_id"));
    assert_eq!(rating(&on, id).await, (Rating::from_cents(500), 1));
    add(&on, other, &review).await.unwrap();
}

pub(crate) async fn only_active_products_are_reviewed(on: Fixture) {
    let id = on.product(1).await;
    assert_eq!(add(&on, ProductId::new(77), &rated(5)).await, None);
    let hide = |product: &mut Product| ProductChanges::hide().apply(product, START).then(Effects::none);
    on.stores.catalogue.change(id, &hide).await.unwrap();
    assert_eq!(add(&on, id, &rated(5)).await, None);
}

pub(crate) async fn a_review_is_removed_by_whoever_may(on: Fixture) {
    let (id, other) = (on.product(1).await, on.product(1).await);
    let review = add(&on, id, &rated(5)).await.unwrap();
    let remove = async |product: ProductId, review: ReviewId, may: bool| {
        on.stores.reviews.remove(product, review, &|_| may, &Effects::none()).await.unwrap()
    };
    assert_eq!(remove(other, review.id, true).await, Removed::Unknown);
    assert_eq!(remove(id, ReviewId::new(77), true).await, Removed::Unknown);
    assert_eq!(remove(id, review.id, false).await, Removed::Forbidden);
    assert_eq!(rating(&on, id).await.1, 1);
    assert_eq!(remove(id, review.id, true).await, Removed::Done);
    assert_eq!(remove(id, review.id, true).await, Removed::Unknown);
    assert_eq!(rating(&on, id).await, (Rating::ZERO, 0));
}

pub(crate) async fn reviews_come_newest_first(on: Fixture) {
    let (reviews, id) = (&on.stores.reviews, on.product(1).await);
    let mut all = Vec::new();
    for seconds in [0, 0, 5] {
        let added = reviews.add(id, &rated(5), later(seconds), &Effects::none()).await.unwrap();
        let AddOutcome::Added(review) = added else { panic!("{added:?}") };
        all.push(review);
    }
    let first = reviews.list(id, page(0, 2)).await.unwrap();
    assert_eq!(first.data, [all[2].clone(), all[1].clone()]);
    assert_eq!((first.total_elements, first.total_pages), (3, 2));
    assert_eq!(reviews.list(id, page(1, 2)).await.unwrap().data, [all[0].clone()]);
    assert_eq!(reviews.list(ProductId::new(77), page(0, 2)).await.unwrap().data, []);
}

pub(crate) async fn reviews_of_a_deleted_user_are_anonymized(on: Fixture) {
    let (reviews, first, second) = (&on.stores.reviews, on.product(1).await, on.product(1).await);
    let [ada, eve] = [rated(5), rated(2)];
    let mut expected = Vec::new();
    for product in [first, second] {
        expected.push(add(&on, product, &ada).await.unwrap());
        add(&on, product, &eve).await.unwrap();
    }
    let effects = Effects::none().handling(handled());
    reviews.anonymize(ada.user_id, later(1), &effects).await.unwrap();
    let again = reviews.anonymize(ada.user_id, later(1), &effects).await.unwrap_err();
    assert!(matches!(again, StoreError::AlreadyHandled), "{again:?}");
    // Another person's deletion does not undo it, nor does the same one that is told anew.
    for user in [eve.user_id, ada.user_id] {
        reviews.anonymize(user, later(2), &Effects::none().handling(handled())).await.unwrap();
    }
    for (product, expected) in [first, second].into_iter().zip(expected) {
        let listed = reviews.list(product, page(0, 10)).await.unwrap().data;
        assert!(listed.iter().all(|review| review.user_id.is_none()), "{listed:?}");
        assert_eq!(listed[1], Review { user_id: None, ..expected });
        assert_eq!(rating(&on, product).await, (Rating::from_cents(350), 2));
    }
    let third = on.product(1).await;
    let late = reviews.add(third, &ada, later(3), &Effects::none()).await.unwrap();
    assert_eq!(late, AddOutcome::AuthorDeleted);
    assert_eq!(rating(&on, third).await, (Rating::ZERO, 0));
    let gone = reviews.list(first, page(0, 10)).await.unwrap().data[0].id;
    reviews.remove(first, gone, &|review| review.user_id.is_none(), &Effects::none()).await.unwrap();
    assert_eq!(rating(&on, first).await, (Rating::from_cents(500), 1));
}

pub(crate) async fn a_review_and_the_deletion_of_its_author_do_not_miss_each_other(on: Fixture) {
    let product = on.product(1).await;
    for _ in 0..20 {
        let new = rated(4);
        let (adding, deleting) = (on.stores.reviews.clone(), on.stores.reviews.clone());
        let user = new.user_id;
        let add = tokio::spawn(async move { adding.add(product, &new, START, &Effects::none()).await.unwrap() });
        let delete =
            tokio::spawn(async move { deleting.anonymize(user, START, &Effects::none().handling(handled())).await });
        let added = add.await.unwrap();
        delete.await.unwrap().unwrap();
        assert!(!matches!(added, AddOutcome::ProductNotFound));
        let listed = on.stores.reviews.list(product, page(0, 100)).await.unwrap().data;
        assert!(listed.iter().all(|review| review.user_id.is_none()), "{added:?}");
    }
}
