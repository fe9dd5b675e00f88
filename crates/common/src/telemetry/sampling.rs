//! Sampler of traces, configured by OpenTelemetry's variables.

use opentelemetry_sdk::trace::Sampler;

/// Default of `OTEL_TRACES_SAMPLER`: all traces, unless the caller decided otherwise.
pub(crate) const DEFAULT: &str = "parentbased_always_on";
/// Default of `OTEL_TRACES_SAMPLER_ARG`: the sampled share of traces.
pub(crate) const DEFAULT_RATIO: &str = "1";

/// Returns the sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` name.
///
/// # Errors
/// A variable is invalid. The error is one line with the variable's name.
pub(crate) fn sampler(name: Option<&str>, ratio: Option<&str>) -> Result<Sampler, String> {
    let ratio = ratio.unwrap_or(DEFAULT_RATIO);
    let ratio = ratio.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    let ratio = ratio.ok_or("OTEL_TRACES_SAMPLER_ARG is invalid: must be from 0 to 1; for example 0.1");
    let by_parent = |root| Sampler::ParentBased(Box::new(root));
    Ok(match name.unwrap_or(DEFAULT) {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(ratio?),
        "parentbased_always_on" => by_parent(Sampler::AlwaysOn),
        "parentbased_always_off" => by_parent(Sampler::AlwaysOff),
        "parentbased_traceidratio" => by_parent(Sampler::TraceIdRatioBased(ratio?)),
        other => {
            return Err(format!(
                "OTEL_TRACES_SAMPLER is invalid: unknown sampler `{other}`; for example parentbased_traceidratio"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &'static str, ratio: &'static str) -> Result<String, String> {
        let given = |text: &'static str| Some(text).filter(|text| !text.is_empty());
        sampler(given(name), given(ratio)).map(|sampler| format!("{sampler:?}"))
    }

    #[test]
    fn variables_select_a_sampler() {
        assert_eq!(of("", "").unwrap(), "ParentBased(AlwaysOn)");
        assert_eq!(of("always_off", "").unwrap(), "AlwaysOff");
        assert_eq!(of("parentbased_traceidratio", "0.1").unwrap(), "ParentBased(TraceIdRatioBased(0.1))");
    }

    #[test]
    fn invalid_value_is_reported_with_its_variable() {
        assert!(of("sometimes", "").unwrap_err().starts_with("OTEL_TRACES_SAMPLER is invalid"));
        for ratio in ["2", "-0.1", "much"] {
            assert!(
                of("traceidratio", ratio).unwrap_err().starts_with("OTEL_TRACES_SAMPLER_ARG is invalid"),
                "{ratio}"
            );
        }
    }
}
