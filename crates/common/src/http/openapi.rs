//! OpenAPI document of a service, and a page to read and try it. Both work under any path prefix of a gateway.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use contracts::{ErrorCode, Problem};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, OpenApi, Ref, RefOr, ResponseBuilder, Server};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::Config;

use super::idempotent::IDEMPOTENCY_KEY;
use super::{ApiError, headers};

/// Media type of errors.
const PROBLEM_JSON: &str = "application/problem+json";

/// Title and description of a service's OpenAPI document.
#[derive(Clone, Copy, Debug)]
pub struct OpenApiInfo {
    /// Title, such as `Order service`.
    pub title: &'static str,
    /// Description of the service.
    pub description: &'static str,
}

/// Adds the parts that all documents share: title, bearer token, problem responses.
pub(super) fn complete(api: &mut OpenApi, info: OpenApiInfo, version: &str) {
    // A new head: utoipa fills in the author and license of this crate.
    api.info = InfoBuilder::new().title(info.title).description(Some(info.description)).version(version).build();
    // Relative to the origin, so that the page works through a gateway as well.
    api.servers = Some(vec![Server::new("/")]);
    let components = api.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    let mut parts = Vec::new();
    Problem::schemas(&mut parts);
    components.schemas.extend(parts);
    components.schemas.insert(ErrorCode::name().into_owned(), ErrorCode::schema());
    for item in api.paths.paths.values_mut() {
        let calls = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in calls.into_iter().flatten() {
            add_error(operation);
            name_problem_type(operation);
            name_replays(operation);
        }
    }
}

/// Sets the media type of problems (RFC 9457) in all responses.
fn name_problem_type(operation: &mut Operation) {
    let problem = RefOr::from(Ref::from_schema_name(Problem::name()));
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        for (media_type, content) in std::mem::take(&mut response.content) {
            let is_problem = matches!(&content, RefOr::T(content) if content.schema.as_ref() == Some(&problem));
            let media_type = if is_problem { PROBLEM_JSON.to_owned() } else { media_type };
            response.content.insert(media_type, content);
        }
    }
}

/// Adds the header of replayed responses to operations that take an idempotency key.
fn name_replays(operation: &mut Operation) {
    let is_key = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.name.eq_ignore_ascii_case(IDEMPOTENCY_KEY));
    if !operation.parameters.iter().flatten().any(is_key) {
        return;
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status.starts_with('2') {
            let header = HeaderBuilder::new()
                .schema(Some(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"]))))
                .description(Some("Sent if the response repeats that of an earlier request with the same key"))
                .build();
            response.headers.insert("Idempotency-Replayed".to_owned(), RefOr::T(header));
        }
    }
}

fn add_error(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let response = ResponseBuilder::new().description("Error").content(PROBLEM_JSON, content).build();
    operation.responses.responses.entry("default".to_owned()).or_insert_with(|| response.into());
}

pub(super) fn routes(api: &OpenApi) -> Router {
    let document = api.to_json().unwrap_or_else(|error| {
        tracing::error!(%error, "OpenAPI document not serialized");
        "{}".to_owned()
    });
    let document: Arc<str> = document.into();
    let config = Arc::new(Config::new(["openapi.json"]).try_it_out_enabled(true).validator_url("none"));
    let openapi = move || std::future::ready(([(CONTENT_TYPE, "application/json")], document.to_string()));
    let pages = Router::new()
        .route("/docs/", get(|State(config): State<_>| std::future::ready(file("", config))))
        .route("/docs/{*file}", get(|Path(name): Path<String>, State(config)| std::future::ready(file(&name, config))));
    Router::new()
        .route("/docs", get(redirect))
        .route("/docs/openapi.json", get(openapi))
        .merge(pages.with_state(config))
        .layer(map_response(async |mut response: Response| {
            headers::protect_docs(response.headers_mut());
            response
        }))
}

/// Redirects to the same path with a slash: relative, by the name that the client requested.
async fn redirect(headers: HeaderMap) -> impl IntoResponse {
    let forwarded = headers.get("x-forwarded-path").and_then(|value| value.to_str().ok());
    let asked = forwarded.and_then(|path| path.rsplit('/').next()).filter(|name| is_plain(name)).unwrap_or("docs");
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, format!("{asked}/"))])
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn file(name: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(name, config) {
        Ok(Some(file)) => ([(CONTENT_TYPE, file.content_type)], file.bytes.into_owned()).into_response(),
        Ok(None) => ApiError::new(ErrorCode::NotFound, "Path not found").into_response(),
        Err(error) => ApiError::internal(error.to_string()).into_response(),
    }
}
