use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use contracts::api::Rating;
use contracts::{ProductId, ReviewId};
use product_service::domain::{NewReview, Review, ReviewFilter};
use product_service::repository::{AddOutcome, RemoveOutcome};

use crate::support::{Fixture, START, deactivation, inbox_record, later, page, user};

fn rated(rating: i64) -> NewReview {
    NewReview { user_id: user(), rating, title: Some("Good".to_owned()), comment: None }
}

fn of(product: ProductId) -> ReviewFilter {
    ReviewFilter { product: Some(product), ..ReviewFilter::default() }
}

async fn add(fixture: &Fixture, product: ProductId, new: &NewReview) -> Option<Review> {
    match fixture.reviews.add(product, new, START, &Effects::none()).await.unwrap() {
        AddOutcome::Added(review) => Some(review),
        AddOutcome::ProductNotFound => None,
        AddOutcome::AuthorDeleted => panic!("the author was deleted"),
    }
}

async fn rating(fixture: &Fixture, product: ProductId) -> (Rating, i64) {
    let product = fixture.products.find(product).await.unwrap().unwrap();
    (product.average_rating, product.review_count)
}

pub(crate) async fn rating_follows_its_reviews(fixture: Fixture) {
    let id = fixture.product(1).await;
    let mut last = None;
    for (stars, hundredths, count) in [(5, 500, 1), (4, 450, 2), (4, 433, 3)] {
        last = add(&fixture, id, &rated(stars)).await;
        assert_eq!(rating(&fixture, id).await, (Rating::from_cents(hundredths), count));
    }
    let review = last.unwrap().id;
    fixture.reviews.remove(id, review, &|_| true, &Effects::none()).await.unwrap();
    assert_eq!(rating(&fixture, id).await, (Rating::from_cents(450), 2));
}

pub(crate) async fn author_reviews_a_product_once(fixture: Fixture) {
    let (id, other, review) = (fixture.product(1).await, fixture.product(1).await, rated(5));
    add(&fixture, id, &review).await.unwrap();
    let rejected = fixture.reviews.add(id, &review, START, &Effects::none()).await.unwrap_err();
    assert_eq!(rejected.unique(), Some("reviews.product_id, reviews.user_id"));
    assert_eq!(rating(&fixture, id).await, (Rating::from_cents(500), 1));
    add(&fixture, other, &review).await.unwrap();
}

pub(crate) async fn only_active_products_are_reviewed(fixture: Fixture) {
    let id = fixture.product(1).await;
    assert_eq!(add(&fixture, ProductId::new(77), &rated(5)).await, None);
    fixture.products.update(id, &deactivation).await.unwrap();
    assert_eq!(add(&fixture, id, &rated(5)).await, None);
}

pub(crate) async fn review_removal_requires_permission(fixture: Fixture) {
    let (id, other) = (fixture.product(1).await, fixture.product(1).await);
    let review = add(&fixture, id, &rated(5)).await.unwrap();
    let remove = async |product: ProductId, review: ReviewId, allowed: bool| {
        fixture.reviews.remove(product, review, &|_| allowed, &Effects::none()).await.unwrap()
    };
    assert_eq!(remove(other, review.id, true).await, RemoveOutcome::NotFound);
    assert_eq!(remove(id, ReviewId::new(77), true).await, RemoveOutcome::NotFound);
    assert_eq!(remove(id, review.id, false).await, RemoveOutcome::Forbidden);
    assert_eq!(rating(&fixture, id).await.1, 1);
    assert_eq!(remove(id, review.id, true).await, RemoveOutcome::Removed);
    assert_eq!(remove(id, review.id, true).await, RemoveOutcome::NotFound);
    assert_eq!(rating(&fixture, id).await, (Rating::ZERO, 0));
}

pub(crate) async fn reviews_are_listed_newest_first(fixture: Fixture) {
    let (reviews, id) = (&fixture.reviews, fixture.product(1).await);
    let mut all = Vec::new();
    for seconds in [0, 0, 5] {
        let added = reviews.add(id, &rated(5), later(seconds), &Effects::none()).await.unwrap();
        let AddOutcome::Added(review) = added else { panic!("{added:?}") };
        all.push(review);
    }
    let first = reviews.list(&of(id), page(0, 2)).await.unwrap();
    assert_eq!(first.data, [all[2].clone(), all[1].clone()]);
    assert_eq!((first.total_elements, first.total_pages), (3, 2));
    assert_eq!(reviews.list(&of(id), page(1, 2)).await.unwrap().data, [all[0].clone()]);
    assert_eq!(reviews.list(&of(ProductId::new(77)), page(0, 2)).await.unwrap().data, []);
}

pub(crate) async fn reviews_are_listed_by_product_author_and_rating(fixture: Fixture) {
    let (first, second, ada) = (fixture.product(1).await, fixture.product(1).await, user());
    let by = |user_id, rating| NewReview { user_id, ..rated(rating) };
    let mut ids = Vec::new();
    for (seconds, (product, new)) in
        (0..).zip([(first, by(ada, 5)), (second, by(ada, 2)), (first, by(user(), 2)), (second, by(user(), 5))])
    {
        let added = fixture.reviews.add(product, &new, later(seconds), &Effects::none()).await.unwrap();
        let AddOutcome::Added(review) = added else { panic!("{added:?}") };
        ids.push(review.id);
    }
    let all = ReviewFilter::default;
    for (filter, expected) in [
        (all(), &[3, 2, 1, 0][..]),
        (ReviewFilter { author: Some(ada), ..all() }, &[1, 0]),
        (ReviewFilter { rating: Some(2), ..all() }, &[2, 1]),
        (ReviewFilter { rating: Some(5), product: Some(first), ..all() }, &[0]),
        (ReviewFilter { rating: Some(3), ..all() }, &[]),
    ] {
        let found = fixture.reviews.list(&filter, page(0, 10)).await.unwrap();
        let found_ids: Vec<_> = found.data.iter().map(|review| review.id).collect();
        assert_eq!(found_ids, expected.iter().map(|at| ids[*at]).collect::<Vec<_>>(), "{filter:?}");
        assert_eq!(found.total_elements, i64::try_from(expected.len()).unwrap());
    }
}

pub(crate) async fn reviews_of_a_deleted_user_are_anonymized(fixture: Fixture) {
    let (reviews, first, second) = (&fixture.reviews, fixture.product(1).await, fixture.product(1).await);
    let [ada, eve] = [rated(5), rated(2)];
    let mut expected = Vec::new();
    for product in [first, second] {
        expected.push(add(&fixture, product, &ada).await.unwrap());
        add(&fixture, product, &eve).await.unwrap();
    }
    let effects = Effects::none().consuming(inbox_record());
    reviews.anonymize(ada.user_id, later(1), &effects).await.unwrap();
    let again = reviews.anonymize(ada.user_id, later(1), &effects).await.unwrap_err();
    assert!(matches!(again, StoreError::AlreadyHandled), "{again:?}");
    // Neither the deletion of another account nor a repeated event undoes it.
    for user in [eve.user_id, ada.user_id] {
        reviews.anonymize(user, later(2), &Effects::none().consuming(inbox_record())).await.unwrap();
    }
    for (product, expected) in [first, second].into_iter().zip(expected) {
        let listed = reviews.list(&of(product), page(0, 10)).await.unwrap().data;
        assert!(listed.iter().all(|review| review.user_id.is_none()), "{listed:?}");
        assert_eq!(listed[1], Review { user_id: None, ..expected });
        assert_eq!(rating(&fixture, product).await, (Rating::from_cents(350), 2));
    }
    let third = fixture.product(1).await;
    let late = reviews.add(third, &ada, later(3), &Effects::none()).await.unwrap();
    assert_eq!(late, AddOutcome::AuthorDeleted);
    assert_eq!(rating(&fixture, third).await, (Rating::ZERO, 0));
    let gone = reviews.list(&of(first), page(0, 10)).await.unwrap().data[0].id;
    reviews.remove(first, gone, &|review| review.user_id.is_none(), &Effects::none()).await.unwrap();
    assert_eq!(rating(&fixture, first).await, (Rating::from_cents(500), 1));
}

pub(crate) async fn review_and_deletion_of_its_author_are_serialized(fixture: Fixture) {
    let product = fixture.product(1).await;
    for _ in 0..20 {
        let new = rated(4);
        let (adding, deleting) = (fixture.reviews.clone(), fixture.reviews.clone());
        let user = new.user_id;
        let add = tokio::spawn(async move { adding.add(product, &new, START, &Effects::none()).await.unwrap() });
        let delete =
            tokio::spawn(
                async move { deleting.anonymize(user, START, &Effects::none().consuming(inbox_record())).await },
            );
        let added = add.await.unwrap();
        delete.await.unwrap().unwrap();
        assert!(!matches!(added, AddOutcome::ProductNotFound));
        let listed = fixture.reviews.list(&of(product), page(0, 100)).await.unwrap().data;
        assert!(listed.iter().all(|review| review.user_id.is_none()), "{added:?}");
    }
}
