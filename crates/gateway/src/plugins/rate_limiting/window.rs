//! Periods of Kong's rate limits, each a window by the clock in UTC.

use chrono::{DateTime, Datelike, NaiveDate};
use http::HeaderName;

/// Period of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

impl Period {
    /// Periods from the shortest to the longest.
    pub(super) const ALL: [Self; 6] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Year];

    /// Returns the field of the period in the file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Returns the length as Kong counts it: a month has 30 days, a year 365.
    pub(super) fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Month => 2_592_000,
            Self::Year => 31_536_000,
        }
    }

    /// Returns the start of the window that contains `now`, both in seconds since 1970.
    pub(super) fn start(self, now: i64) -> i64 {
        let date = DateTime::from_timestamp(now, 0).unwrap_or_default();
        let first_of = |month| {
            NaiveDate::from_ymd_opt(date.year(), month, 1)
                .and_then(|day| day.and_hms_opt(0, 0, 0))
                .map_or(0, |time| time.and_utc().timestamp())
        };
        match self {
            Self::Month => first_of(date.month()),
            Self::Year => first_of(1),
            _ => now - now.rem_euclid(self.seconds()),
        }
    }

    pub(super) fn limit_header(self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::Second => "x-ratelimit-limit-second",
            Self::Minute => "x-ratelimit-limit-minute",
            Self::Hour => "x-ratelimit-limit-hour",
            Self::Day => "x-ratelimit-limit-day",
            Self::Month => "x-ratelimit-limit-month",
            Self::Year => "x-ratelimit-limit-year",
        })
    }

    pub(super) fn remaining_header(self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::Second => "x-ratelimit-remaining-second",
            Self::Minute => "x-ratelimit-remaining-minute",
            Self::Hour => "x-ratelimit-remaining-hour",
            Self::Day => "x-ratelimit-remaining-day",
            Self::Month => "x-ratelimit-remaining-month",
            Self::Year => "x-ratelimit-remaining-year",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_starts_by_the_clock() {
        let now = DateTime::parse_from_rfc3339("2024-03-15T10:20:30Z").unwrap().timestamp();
        let starts = [
            (Period::Second, "2024-03-15T10:20:30Z"),
            (Period::Minute, "2024-03-15T10:20:00Z"),
            (Period::Hour, "2024-03-15T10:00:00Z"),
            (Period::Day, "2024-03-15T00:00:00Z"),
            (Period::Month, "2024-03-01T00:00:00Z"),
            (Period::Year, "2024-01-01T00:00:00Z"),
        ];
        for (period, start) in starts {
            let start = DateTime::parse_from_rfc3339(start).unwrap().timestamp();
            assert_eq!(period.start(now), start, "{period:?}");
        }
    }
}
