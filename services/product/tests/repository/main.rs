//! Tests of the repositories: conformance suites, model tests, query plans and upgrades, on SQLite and PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a failed precondition ends the test")]

mod inventory;
mod media;
mod model;
mod products;
mod query_plans;
mod reviews;
mod support;
mod upgrade;

/// Runs each test of the suites on both databases.
macro_rules! suites {
    ($($suite:ident: $($name:ident),* $(,)?;)*) => {
        mod sqlite {
            $(mod $suite {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        crate::$suite::$name(crate::support::Fixture::sqlite().await.unwrap()).await;
                    }
                )*
            })*
        }
        mod postgres {
            $(mod $suite {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        let Some(fixture) = crate::support::Fixture::postgres().await else { return };
                        crate::$suite::$name(fixture).await;
                    }
                )*
            })*
        }
    };
}

suites!(
    products:
        product_is_read_as_it_was_created,
        unknown_ids_are_none,
        sku_is_unique,
        sku_of_an_inactive_product_is_free,
        skus_of_the_previous_version_are_released,
        update_writes_descriptive_fields_only,
        update_without_effects_rolls_back,
        catalog_is_seeded_once,
        find_active_returns_products_once_by_id,
        list_is_filtered_sorted_and_paged,
        hidden_low_and_rated_products_are_listed,
        facets_are_counted_under_the_other_filters,
        search_ignores_case_and_diacritics,
        search_matches_every_character_literally,
        search_follows_updates,
        equal_looking_spellings_are_one_category,
        rows_of_the_previous_version_are_indexed,
        product_has_at_most_one_primary_image;
    inventory:
        adjustment_stays_within_bounds,
        adjustments_are_recorded_with_reason_and_actor,
        reservation_is_created_once_with_its_effects,
        reservation_covers_all_lines_or_none,
        stock_follows_the_actions_of_a_reservation,
        unexpected_action_is_rejected,
        tombstone_prevents_a_reservation,
        message_has_its_effect_once,
        due_reservations_are_listed_oldest_first,
        concurrent_reservations_never_oversell,
        reservations_of_the_same_products_do_not_deadlock,
        reservation_and_tombstone_exclude_each_other,
        audit_pages_cover_every_product;
    media:
        picture_is_attached_to_its_stored_file,
        failed_upload_is_discarded,
        unreferenced_file_is_collected_once_it_is_due,
        file_that_is_referenced_again_is_kept,
        attachment_and_collection_exclude_each_other;
    reviews:
        rating_follows_its_reviews,
        author_reviews_a_product_once,
        only_active_products_are_reviewed,
        review_removal_requires_permission,
        reviews_are_listed_newest_first,
        reviews_are_listed_by_product_author_and_rating,
        reviews_of_a_deleted_user_are_anonymized,
        review_and_deletion_of_its_author_are_serialized;
);
