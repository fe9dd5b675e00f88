//! Who may do what.

use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use common::auth::keys::{SigningKey, generate_pem, jwk_of_public_pem};
use common::auth::{AUDIENCE, Claims, Jwks, Role, TokenVerifier};
use common::http::{AdminOnly, AdminOr, OptionalCaller, ServiceWith, SignedInUser, UserOr, scope};
use common::telemetry::clock::{Clock, SystemClock, system};
use contracts::UserId;
use p256::pkcs8::{DecodePrivateKey, EncodePublicKey, LineEnding};
use secrecy::{ExposeSecret, SecretString};

use crate::support::{app, get_with, settings};

#[derive(Clone)]
struct State(TokenVerifier);

impl FromRef<State> for TokenVerifier {
    fn from_ref(state: &State) -> Self {
        state.0.clone()
    }
}

fn claims(role: Role, subject: &str) -> Claims {
    let now = SystemClock.now().timestamp();
    Claims {
        iss: "shopfleet".to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: subject.to_owned(),
        user_id: (role != Role::Service).then(|| subject.to_owned()),
        sid: None,
        av: None,
        scope: None,
        email: None,
        ev: None,
        role,
        iat: now,
        exp: now + 900,
        jti: "1".to_owned(),
    }
}

fn routes(verifier: TokenVerifier) -> Router {
    let service = |caller: ServiceWith<scope::OrdersRead>| async move { caller.into_inner().key() };
    let either = |caller: AdminOr<scope::OrdersRead>| async move { caller.into_inner().key() };
    let routes = Router::new()
        .route("/admin", get(|AdminOnly(caller): AdminOnly| async move { caller.key() }))
        .route("/service", get(service))
        .route("/either", get(either))
        .route("/person", get(|SignedInUser(_, user): SignedInUser| async move { user.to_string() }))
        .route(
            "/public",
            get(|OptionalCaller(caller): OptionalCaller| async move {
                caller.map_or_else(|| "nobody".to_owned(), |caller| caller.key())
            }),
        );
    app(routes.with_state(State(verifier)), &settings())
}

#[tokio::test]
async fn role_reaches_its_endpoints() {
    let key = SigningKey::from_pem(&generate_pem()).unwrap();
    let jwks = Jwks { keys: vec![key.jwk().clone()] };
    let app = routes(TokenVerifier::local(&jwks, "shopfleet", system()));
    let person = UserId::generate(SystemClock.now()).to_string();
    let subjects = [(Role::User, person.as_str()), (Role::Admin, &person), (Role::Service, "order-service")];
    for (role, subject) in subjects {
        let authorization = format!("Bearer {}", key.sign(&claims(role, subject)));
        for (path, allowed) in [
            ("/admin", role == Role::Admin),
            ("/service", role == Role::Service),
            ("/either", role != Role::User),
            ("/person", role != Role::Service),
            ("/public", true),
        ] {
            let answer = get_with(&app, path, &[("authorization", &authorization)]).await;
            if allowed {
                assert_eq!(answer.status, 200, "{role} at {path}");
                assert!(answer.text().ends_with(subject));
            } else {
                answer.refused(403, "FORBIDDEN");
            }
        }
    }
    for path in ["/admin", "/service", "/either", "/person"] {
        get_with(&app, path, &[]).await.refused(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn service_token_reaches_what_its_scopes_allow() {
    let key = SigningKey::from_pem(&generate_pem()).unwrap();
    let jwks = Jwks { keys: vec![key.jwk().clone()] };
    let scoped = |caller: UserOr<scope::OrdersRead>| async move { caller.into_inner().key() };
    let admin_or = |caller: AdminOr<scope::OrdersRead>| async move { caller.into_inner().key() };
    let service = |caller: ServiceWith<scope::OrdersRead>| async move { caller.into_inner().key() };
    let routes =
        Router::new().route("/scoped", get(scoped)).route("/admin-or", get(admin_or)).route("/service", get(service));
    let app = app(routes.with_state(State(TokenVerifier::local(&jwks, "shopfleet", system()))), &settings());
    let person = UserId::generate(SystemClock.now()).to_string();
    let (scoped, admin_or, service) = ("/scoped", "/admin-or", "/service");
    let with = |scope: &str| Claims { scope: Some(scope.to_owned()), ..claims(Role::Service, "order-service") };
    let (forbidden, insufficient) = (Some("FORBIDDEN"), Some("INSUFFICIENT_SCOPE"));
    for (claims, outcomes) in [
        (claims(Role::User, &person), [(scoped, None), (admin_or, forbidden), (service, forbidden)]),
        (claims(Role::Admin, &person), [(scoped, None), (admin_or, None), (service, forbidden)]),
        // Signed by the version before.
        (claims(Role::Service, "order-service"), [(scoped, None), (admin_or, None), (service, None)]),
        (with("users:read orders:read"), [(scoped, None), (admin_or, None), (service, None)]),
        (with(""), [scoped, admin_or, service].map(|path| (path, insufficient))),
        (with("orders:place orders:readall"), [scoped, admin_or, service].map(|path| (path, insufficient))),
    ] {
        let authorization = format!("Bearer {}", key.sign(&claims));
        for (path, refusal) in outcomes {
            let answer = get_with(&app, path, &[("authorization", &authorization)]).await;
            match refusal {
                None => assert_eq!(answer.status, 200, "{claims:?} at {path}"),
                Some(code) => drop(answer.refused(403, code)),
            }
        }
    }
    // A person's token gains nothing by a scope.
    let odd = Claims { scope: Some("orders:read".to_owned()), ..claims(Role::User, &person) };
    let authorization = format!("Bearer {}", key.sign(&odd));
    get_with(&app, service, &[("authorization", &authorization)]).await.refused(403, "FORBIDDEN");
}

#[tokio::test]
async fn public_endpoint_ignores_an_invalid_token() {
    let jwks = Jwks::default();
    let app = routes(TokenVerifier::local(&jwks, "shopfleet", system()));
    let stranger = SigningKey::from_pem(&generate_pem()).unwrap().sign(&claims(Role::Service, "x"));
    for authorization in ["", "Bearer nonsense", "Basic YTpi", &format!("Bearer {stranger}")] {
        assert_eq!(get_with(&app, "/public", &[("authorization", authorization)]).await.text(), "nobody");
    }
    assert_eq!(get_with(&app, "/public", &[]).await.text(), "nobody");
}

#[test]
fn key_is_parsed_in_all_formats_with_one_id() {
    let pem = generate_pem();
    let key = SigningKey::from_pem(&pem).unwrap();
    let secret = p256::SecretKey::from_pkcs8_pem(pem.expose_secret()).unwrap();
    let sec1 = secret.to_sec1_pem(LineEnding::LF).unwrap();
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let openssl: SecretString = format!("{parameters}{}", sec1.as_str()).into();
    assert_eq!(SigningKey::from_pem(&openssl).unwrap().kid(), key.kid());
    let public = secret.public_key().to_public_key_pem(LineEnding::LF).unwrap();
    assert_eq!(&jwk_of_public_pem(&public).unwrap(), key.jwk());
    assert_eq!(key.kid().len(), 43, "base64url of 256 bits");
    assert!(SigningKey::from_pem(&public.into()).is_err());
    assert!(jwk_of_public_pem(pem.expose_secret()).is_err());
    let wrong = SigningKey::from_pem(&"secret".to_owned().into()).err().unwrap();
    assert!(wrong.to_string().contains("openssl"), "{wrong}");
}

#[test]
fn published_key_matches_the_standard() {
    let key = SigningKey::from_pem(&generate_pem()).unwrap();
    let jwk = serde_json::to_value(key.jwk()).unwrap();
    assert_eq!(
        (&jwk["kty"], &jwk["crv"], &jwk["use"], &jwk["alg"]),
        (&"EC".into(), &"P-256".into(), &"sig".into(), &"ES256".into())
    );
    assert!(jwk.get("d").is_none(), "the private half stays here");
    // The example of RFC 7638 has an RSA key; this thumbprint was taken of a key on P-256 by jsonwebtoken.
    let standard: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk).unwrap();
    assert_eq!(standard.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), key.kid());
}
