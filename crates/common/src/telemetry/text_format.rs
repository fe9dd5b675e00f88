//! Log lines for people: time, level, target, message. The spans of a line are left out: they belong to traces, and
//! each would be longer than the line.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Formatter of text lines.
pub(super) struct TextFormat;

impl<S, N> FormatEvent<S, N> for TextFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        if writer.has_ansi_escapes() {
            write!(writer, " \u{1b}[{}m{level:>5}\u{1b}[0m {target}: ", colour(level))?;
        } else {
            write!(writer, " {level:>5} {target}: ")?;
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Returns the terminal's colour number of a level.
const fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::telemetry::captured::Captured;

    #[test]
    fn line_is_short() {
        let captured = Captured::default();
        let lines = tracing_subscriber::fmt::layer().event_format(TextFormat).with_ansi(false);
        let lines = lines.with_writer(captured.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let _entered = tracing::info_span!("request", http.route = "/api/orders").entered();
            tracing::warn!(target: "orders", attempts = 3, "it was late");
        });
        let text = captured.text();
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.ends_with('Z'), "{text}");
        assert_eq!(rest, " WARN orders: it was late attempts=3\n");
    }
}
