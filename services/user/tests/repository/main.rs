//! Conformance suites of the repository port on every adapter, and tests of MongoDB alone.
#![expect(clippy::unwrap_used, reason = "an unexpected value fails the test")]

mod accounts;
mod admins;
mod deleted;
mod events;
mod login_failures;
mod mongodb;
mod revocations;
mod support;

/// Generates each test of the suites for each adapter.
macro_rules! suites {
    ($($suite:ident: $($name:ident),+ $(,)?;)+) => {
        suites!(in sqlite_repository, on_sqlite: $($suite: $($name),+;)+);
        suites!(in mongodb_repository, on_mongodb: $($suite: $($name),+;)+);
    };
    (in $repository:ident, $start:ident: $($suite:ident: $($name:ident),+;)+) => {
        mod $repository {
            $(mod $suite {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $name() {
                        let Some(fixture) = crate::support::Fixture::$start().await else { return };
                        crate::$suite::$name(fixture).await;
                    }
                )+
            })+
        }
    };
}

suites!(
    accounts:
        user_is_found_by_id_and_email,
        user_is_stored_completely,
        email_is_unique,
        non_ascii_emails_are_listed,
        outdated_save_is_rejected,
        concurrent_saves_write_one,
        list_is_filtered_sorted_and_paged,
        list_is_searched_by_parts_of_email_and_name;
    admins:
        last_admin_stays,
        remaining_admin_cannot_be_demoted_concurrently,
        concurrent_demotions_leave_one_admin;
    deleted:
        deleted_user_is_found_by_id_only,
        deleted_user_is_purged_after_its_events_are_published;
    events:
        outbox_and_inbox_conform,
        mail_queue_conforms,
        mails_are_written_with_their_change,
        rejected_insert_writes_no_event,
        relay_and_saves_do_not_conflict,
        message_is_handled_once,
        relays_share_the_events_of_many_users;
    login_failures:
        login_failures_are_counted_until_they_expire,
        instances_share_the_login_failures;
    revocations:
        revocations_are_listed_in_order_until_they_expire,
        feed_reader_misses_no_concurrent_revocation;
);
