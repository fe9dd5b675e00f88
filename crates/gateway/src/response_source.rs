//! Source of a response.

/// Source of a response, in Kong's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseSource {
    /// Response source: the upstream.
    Service,
    /// The gateway, before it called the upstream.
    Exit,
    /// The gateway, because the upstream did not respond.
    Error,
}

impl ResponseSource {
    /// Returns the name in the access log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Exit => "exit",
            Self::Error => "error",
        }
    }

    /// Returns the label `source` of `kong_http_requests_total`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Exit | Self::Error => "kong",
        }
    }
}
