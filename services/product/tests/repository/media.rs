use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use contracts::{ImageId, ProductId};
use futures::FutureExt as _;
use product_service::domain::{NewUpload, PictureName};
use product_service::repository::{AttachOutcome, CollectOutcome, MediaRepository};

use crate::support::{Fixture, START, later, no_effects, some_event};

fn name(digit: char) -> PictureName {
    PictureName::parse(&format!("{}.png", digit.to_string().repeat(64))).unwrap()
}

fn new(digit: char, primary: bool) -> NewUpload {
    NewUpload { name: name(digit), alt_text: Some("Alt".to_owned()), primary }
}

async fn attach(fixture: &Fixture, product: ProductId, digit: char, is_stored: bool) -> AttachOutcome {
    let stored = move |_: PictureName| async move { Ok(is_stored) }.boxed();
    let effects = |product: &contracts::api::Product| some_event(product.id);
    fixture.media.attach(product, &new(digit, true), later(1), &stored, &effects).await.unwrap()
}

/// Collects files until none is due; returns the number of those that were deleted.
async fn collect(media: &Arc<dyn MediaRepository>, seconds: i64) -> u32 {
    let deleted = Arc::new(AtomicU32::new(0));
    let delete = |_: PictureName| {
        let deleted = deleted.clone();
        async move {
            deleted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
        .boxed()
    };
    while media.collect(later(seconds), &delete).await.unwrap() != CollectOutcome::NoneDue {}
    deleted.load(Ordering::SeqCst)
}

pub(crate) async fn picture_is_attached_to_its_stored_file(fixture: Fixture) {
    let id = fixture.product(1).await;
    assert_eq!(attach(&fixture, id, 'a', true).await, AttachOutcome::FileMissing, "not recorded");
    assert!(fixture.media.register(&name('a'), START).await.unwrap());
    assert!(!fixture.media.register(&name('a'), START).await.unwrap());
    assert_eq!(attach(&fixture, id, 'a', false).await, AttachOutcome::FileMissing, "not stored");
    assert_eq!(attach(&fixture, ProductId::new(77), 'a', true).await, AttachOutcome::ProductNotFound);
    assert_eq!(fixture.pending().await, 0);
    let AttachOutcome::Attached(image) = attach(&fixture, id, 'a', true).await else { panic!("not attached") };
    assert_eq!((image.url.as_str(), image.primary), (name('a').path().as_str(), true));
    let product = fixture.products.find(id).await.unwrap().unwrap();
    assert_eq!((product.images, product.updated_at), (vec![image], later(1)));
    assert_eq!(fixture.pending().await, 1);
    assert_eq!(collect(&fixture.media, 1_000_000).await, 0);
}

pub(crate) async fn failed_upload_is_discarded(fixture: Fixture) {
    let id = fixture.product(1).await;
    let deleted = Arc::new(AtomicU32::new(0));
    let delete = |_: PictureName| {
        let deleted = deleted.clone();
        async move {
            deleted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
        .boxed()
    };
    fixture.media.discard(&name('a'), &delete).await.unwrap();
    assert_eq!(deleted.load(Ordering::SeqCst), 0, "there is no such file");
    fixture.media.register(&name('a'), START).await.unwrap();
    fixture.media.discard(&name('a'), &delete).await.unwrap();
    assert_eq!(deleted.load(Ordering::SeqCst), 1);
    assert!(fixture.media.register(&name('a'), START).await.unwrap(), "the record is gone");
    attach(&fixture, id, 'a', true).await;
    fixture.media.discard(&name('a'), &delete).await.unwrap();
    assert_eq!(deleted.load(Ordering::SeqCst), 1, "a referenced file is kept");
}

pub(crate) async fn unreferenced_file_is_collected_once_it_is_due(fixture: Fixture) {
    let id = fixture.product(1).await;
    for (digit, seconds) in [('a', 0), ('b', 5)] {
        fixture.media.register(&name(digit), later(seconds)).await.unwrap();
    }
    attach(&fixture, id, 'b', true).await;
    assert_eq!(fixture.media.mark_unreferenced(later(9)).await.unwrap(), 0);
    assert_eq!(collect(&fixture.media, -1).await, 0);
    // Uploaded again: later due.
    fixture.media.register(&name('a'), later(3)).await.unwrap();
    assert_eq!(collect(&fixture.media, 2).await, 0);
    assert_eq!(collect(&fixture.media, 3).await, 1);
    let image = fixture.products.find(id).await.unwrap().unwrap().images[0].id;
    assert!(fixture.products.remove_image(id, image, START, &no_effects).await.unwrap());
    assert_eq!(fixture.media.mark_unreferenced(later(20)).await.unwrap(), 1);
    assert_eq!(fixture.media.mark_unreferenced(later(21)).await.unwrap(), 0, "the first mark counts");
    assert_eq!(collect(&fixture.media, 19).await, 0);
    assert_eq!(collect(&fixture.media, 20).await, 1);
    assert_eq!(collect(&fixture.media, 1_000_000).await, 0);
}

pub(crate) async fn file_that_is_referenced_again_is_kept(fixture: Fixture) {
    let id = fixture.product(1).await;
    fixture.media.register(&name('a'), START).await.unwrap();
    attach(&fixture, id, 'a', true).await;
    // As a mark that was set while another picture with the file was being added.
    fixture.execute("UPDATE media SET unreferenced_since = created_at").await;
    assert_eq!(collect(&fixture.media, 1_000_000).await, 0);
    let image = fixture.products.find(id).await.unwrap().unwrap().images[0].id;
    assert_ne!(image, ImageId::new(0));
    assert!(fixture.products.remove_image(id, image, START, &no_effects).await.unwrap());
    assert_eq!(collect(&fixture.media, 1_000_000).await, 0, "the mark was removed");
}

pub(crate) async fn attachment_and_collection_exclude_each_other(fixture: Fixture) {
    let id = fixture.product(1).await;
    for _ in 0..20 {
        fixture.media.register(&name('a'), START).await.unwrap();
        let there = Arc::new(AtomicBool::new(true));
        let (media, file) = (fixture.media.clone(), there.clone());
        let collecting = tokio::spawn(async move {
            let delete = |_: PictureName| {
                let file = file.clone();
                async move {
                    file.store(false, Ordering::SeqCst);
                    Ok(())
                }
                .boxed()
            };
            media.collect(later(1), &delete).await.unwrap()
        });
        let file = there.clone();
        let stored = move |_: PictureName| {
            let file = file.clone();
            async move { Ok(file.load(Ordering::SeqCst)) }.boxed()
        };
        let attached = fixture.media.attach(id, &new('a', false), START, &stored, &no_effects).await.unwrap();
        let collected = collecting.await.unwrap();
        match attached {
            AttachOutcome::Attached(image) => {
                assert!(there.load(Ordering::SeqCst), "a picture without a file: {collected:?}");
                fixture.products.remove_image(id, image.id, START, &no_effects).await.unwrap();
            }
            AttachOutcome::FileMissing => assert_eq!(collected, CollectOutcome::Deleted),
            AttachOutcome::ProductNotFound => panic!("the product is there"),
        }
    }
}
