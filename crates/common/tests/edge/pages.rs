use common::http::{Health, Json};
use contracts::api::Product;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::support::{finished, get, get_with, settings};

/// One product
#[utoipa::path(get, path = "/api/products/{id}", responses((status = 200, body = Product)), security(("bearer" = [])))]
async fn product() -> Json<&'static str> {
    Json("one")
}

fn app() -> axum::Router {
    finished(OpenApiRouter::new().routes(routes!(product)), &settings(), Health::new())
}

#[tokio::test]
async fn openapi_document_has_head_token_and_errors() {
    let answer = get(&app(), "/docs/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let api = answer.json();
    assert_eq!(api["info"]["title"], "Test service");
    assert_eq!(api["info"]["version"], "1.2.3");
    assert_eq!(api["servers"][0]["url"], "/");
    let info = api["info"].as_object().unwrap();
    assert!(!info.contains_key("contact") && !info.contains_key("license"), "{info:?}");
    assert_eq!(api["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let call = &api["paths"]["/api/products/{id}"]["get"];
    assert_eq!(call["security"][0]["bearer"], serde_json::json!([]));
    let refusal = &call["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"];
    assert_eq!(refusal, "#/components/schemas/Problem");
    assert!(api["components"]["schemas"]["Problem"]["properties"]["request_id"].is_object(), "{api}");
    assert!(api["components"]["schemas"]["Product"].is_object(), "{api}");
}

#[tokio::test]
async fn documentation_page_needs_no_other_origin() {
    let app = app();
    let page = get(&app, "/docs/").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'; script-src 'self';"), "{policy}");
    // The policy allows no script within the page.
    assert!(!page.text().contains("<script>"), "{}", page.text());
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(!page.text().contains("//unpkg") && !page.text().contains("https://cdn"), "{}", page.text());
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "swagger-initializer.js"]
    {
        assert!(page.text().contains(&format!("./{file}")), "{file} is not relative: {}", page.text());
        assert_eq!(get(&app, &format!("/docs/{file}")).await.status, 200, "{file}");
    }
    let settings = get(&app, "/docs/swagger-initializer.js").await.text();
    assert!(settings.contains("\"openapi.json\""), "{settings}");
    get(&app, "/docs/nothing.js").await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn documentation_page_without_slash_redirects_by_the_requested_name() {
    let app = app();
    let answer = get(&app, "/docs").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "docs/"));
    let answer = get_with(&app, "/docs", &[("x-forwarded-path", "/docs/user")]).await;
    assert_eq!(answer.header("location"), "user/");
    for odd in ["/docs/user/", "//evil.example", "/docs/ev.il", "/a%0d"] {
        let answer = get_with(&app, "/docs", &[("x-forwarded-path", odd)]).await;
        assert_eq!(answer.header("location"), "docs/", "{odd}");
    }
}
