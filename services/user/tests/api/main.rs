//! User service over HTTP, with its accounts in a SQLite file and in MongoDB.
#![expect(clippy::unwrap_used, reason = "an unexpected value fails the test")]

mod access;
mod accounts;
mod auth;
mod contract;
mod devices;
mod instances;
mod mails;
mod process;
mod service_tokens;
mod sessions;
mod support;
mod text_forms;
mod throttling;

/// Generates each test for each database.
macro_rules! api_tests {
    ($($module:ident: $($name:ident),+ $(,)?;)+) => {
        api_tests!(in sqlite, on_sqlite: $($module: $($name),+;)+);
        api_tests!(in mongodb, on_mongodb: $($module: $($name),+;)+);
    };
    (in $database:ident, $start:ident: $($module:ident: $($name:ident),+;)+) => {
        mod $database {
            $(mod $module {
                $(
                    #[tokio::test]
                    async fn $name() {
                        let Some(api) = crate::support::TestApi::$start().await else { return };
                        crate::$module::$name(api).await;
                    }
                )+
            })+
        }
    };
}

api_tests!(
    access:
        role_change_raises_the_access_version,
        ended_sessions_are_in_the_feed,
        feed_requires_the_scope_to_read_accounts,
        service_token_holds_the_scopes_of_its_client;
    accounts:
        profile_update_changes_given_fields_only,
        own_email_change_requires_the_current_password,
        partial_address_is_merged_and_empty_date_of_birth_is_removed,
        account_of_another_user_is_not_found,
        admin_lists_users_in_pages,
        role_change_applies_immediately_and_the_last_admin_stays,
        deletion_removes_personal_data,
        password_of_the_older_service_is_accepted_and_rehashed;
    auth:
        user_registers_and_signs_in,
        registration_accepts_profile_fields_and_ignores_server_fields,
        registration_reports_all_invalid_fields_together,
        email_belongs_to_one_account_under_concurrent_registration,
        login_errors_do_not_reveal_the_account,
        login_is_throttled_after_ten_failures,
        login_failures_count_while_the_cache_is_unavailable,
        concurrent_attempts_do_not_exceed_the_limit,
        successful_login_resets_the_failures;
    contract:
        single_line_fields_reject_line_breaks_and_invisible_characters,
        responses_match_their_documentation;
    devices:
        sessions_are_listed_with_their_client_and_last_use,
        session_is_ended_from_another_one,
        admin_lists_and_ends_sessions_of_a_user,
        calls_reject_callers_without_permission,
        export_has_the_profile_and_the_sessions,
        admin_searches_users_by_parts;
    mails:
        welcome_mail_has_a_link_that_verifies_the_address,
        verification_is_sent_again_and_voids_the_older_link,
        reset_link_sets_a_new_password_and_ends_all_sessions,
        later_reset_link_voids_the_one_before_and_each_expires,
        forgotten_password_does_not_reveal_the_account,
        reset_links_are_limited_per_account,
        new_address_is_reported_to_the_old_one_and_voids_links,
        new_password_is_reported_to_the_address_of_that_time,
        preferences_stop_all_mails_but_those_about_security,
        admin_sends_a_reset_link,
        mails_are_off_without_a_transport;
    instances:
        instances_share_the_attempt_limit,
        concurrent_deletion_of_two_admins_leaves_one,
        session_ended_by_one_instance_is_rejected_by_the_other,
        concurrent_refreshes_return_the_same_successor,
        sessions_of_one_account_refresh_concurrently_across_instances,
        events_are_published_and_deleted_accounts_purged;
    service_tokens:
        client_receives_a_token_for_an_hour,
        unknown_client_is_rejected,
        public_keys_are_published;
    sessions:
        refresh_token_reuse_ends_the_session,
        lost_refresh_response_is_repeated_for_ten_seconds,
        successor_is_removed_after_its_grace_period,
        invalid_refresh_token_is_rejected,
        logout_ends_its_own_session_only,
        sessions_of_one_account_refresh_concurrently,
        old_password_starts_no_session_after_the_change,
        access_token_expires,
        password_change_ends_the_other_sessions,
        current_password_is_throttled_after_ten_failures;
    text_forms:
        unicode_forms_of_one_email_are_one_account,
        email_of_the_previous_version_is_normalised_at_start,
        unicode_forms_of_one_password_sign_in,
        password_in_its_old_form_is_rehashed_at_the_next_sign_in;
    throttling:
        failures_from_many_addresses_delay_attempts_without_a_lock,
        concurrent_attempts_from_many_addresses_do_not_exceed_the_limit,
        addresses_of_one_ipv6_network_count_as_one;
);
